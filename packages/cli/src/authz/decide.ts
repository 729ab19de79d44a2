import { type Setting, setting } from "@signet/runtime";
import type { CommandIo } from "../input/command-io.ts";
import { type ReadRequest, readRequests } from "../input/read-requests.ts";
import { remark, runCommand } from "../input/run-command.ts";
import { printable } from "../text/printable.ts";
import { decideSettings } from "./decide-settings.ts";
import { type DecisionRecord, describeRecord, recordOf } from "./decision-record.ts";
import { type DecideValues, type OpenAuthorizer, openAuthorizer, workloadOf } from "./open-authorizer.ts";

const command = "signet authz decide";
const summary =
  "Decides requests by Istio's documents as a proxy in the mesh would. A request is Envoy's AttributeContext in proto JSON; one\n" +
  "without source.principal came in plaintext. With --json, a line for each request: an object with effect, policy, rule, reason\n" +
  "and audit. Exits 0 when every request was decided, 1 when a line could not be read, 2 for a command line or files that\n" +
  "cannot be used.";

const settings: typeof decideSettings & { readonly request: Setting<string | undefined> } = {
  request: setting.text({
    flag: "request",
    description: "a file with one request, or with one on each line; - is standard input",
  }),
  ...decideSettings,
};

/** Longest time for one request, in milliseconds: keys may have to be fetched, by way of discovery. */
const deadlineMs = 30_000;

/**
 * Runs `signet authz decide` and returns its exit code: 0 when every request was decided, 1 when some line was not, 2 for a
 * command line or files that cannot be used.
 */
export async function runAuthzDecide(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  io: CommandIo,
): Promise<number> {
  return await runCommand({ command, summary }, settings, { args, env, io }, ({ request: file, ...values }) => {
    if (file === undefined) throw new Error("--request is missing: the file of requests; - is standard input");
    return decideAll(file, values, io);
  });
}

async function decideAll(file: string, values: DecideValues, io: CommandIo): Promise<0 | 1> {
  const workload = workloadOf(values);
  const open = await openAuthorizer(values);
  for (const line of open.remarks) remark(io, command, line);
  let complete = true;
  for await (const read of readRequests(file, io)) {
    const decided = await decideOne(open, workload, read);
    if (typeof decided === "string") {
      complete = false;
      remark(io, command, `line ${read.line}: ${decided}`);
    } else {
      const line = values.json ? JSON.stringify(decided) : `line ${read.line}: ${describeRecord(decided)}`;
      io.stdout.write(printable(`${line}\n`));
    }
  }
  return complete ? 0 : 1;
}

/** The decision, or why there is none. */
async function decideOne(
  { authorizer }: OpenAuthorizer,
  workload: ReturnType<typeof workloadOf>,
  read: ReadRequest,
): Promise<DecisionRecord | string> {
  if (read.kind === "malformed") return read.problem;
  const signal = AbortSignal.timeout(deadlineMs);
  try {
    return recordOf(await authorizer.authorize(read.request, workload, signal));
  } catch (error) {
    if (!signal.aborted) throw error;
    return `there was no decision within ${deadlineMs / 1000} seconds`;
  }
}

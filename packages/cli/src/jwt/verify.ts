import { type Setting, setting } from "@signet/runtime";
import type { CommandIo } from "../input/command-io.ts";
import { type ReadRequest, readRequests } from "../input/read-requests.ts";
import { remark, runCommand } from "../input/run-command.ts";
import { printable } from "../text/printable.ts";
import { jwtSettings } from "./jwt-settings.ts";
import { type JwtValues, type OpenRules, openRules } from "./open-rules.ts";
import { type VerifyResult, verifyResultOf } from "./verify-result.ts";

const command = "signet jwt verify";

const verifySettings: typeof jwtSettings & { readonly request: Setting<string | undefined> } = {
  request: setting.text({
    flag: "request",
    description: "a file with one request, or with one on each line; - is standard input",
  }),
  ...jwtSettings,
};

const summary =
  "Says what RequestAuthentications make of requests: let through, anonymous or as whom, or refused, and why. A request is\n" +
  "Envoy's AttributeContext in proto JSON. With --json, a line for each request: an object with status, body,\n" +
  "requestPrincipal, upstreamHeaders, removedHeaders, payload and code, null for what there is not. Exits 0 when every\n" +
  "request got a result, 1 when a line could not be read, 2 for a command line or files that cannot be used.";

/** Longest time for one request, in milliseconds: keys may have to be fetched, by way of discovery. */
const deadlineMs = 30_000;

/**
 * Runs `signet jwt verify` and returns its exit code: 0 when every request got a result, 1 when some line did not, 2 for a command
 * line or files that cannot be used.
 */
export async function runJwtVerify(args: readonly string[], io: CommandIo): Promise<number> {
  return await runCommand(
    { command, summary },
    verifySettings,
    { args, env: {}, io },
    ({ request: file, ...values }) => {
      if (file === undefined) throw new Error("--request is missing: the file of requests; - is standard input");
      return verifyAll(file, values, io);
    },
  );
}

async function verifyAll(file: string, values: JwtValues, io: CommandIo): Promise<0 | 1> {
  const rules = await openRules(values, io, command);
  let complete = true;
  for await (const read of readRequests(file, io)) {
    const outcome = await verifyOne(rules, read);
    if (typeof outcome === "string") {
      complete = false;
      remark(io, command, `line ${read.line}: ${outcome}`);
    } else {
      io.stdout.write(printable(values.json ? `${JSON.stringify(outcome)}\n` : describe(read.line, outcome)));
    }
  }
  return complete ? 0 : 1;
}

/** The result, or why there is none. */
async function verifyOne({ authenticator }: OpenRules, read: ReadRequest): Promise<VerifyResult | string> {
  if (read.kind === "malformed") return read.problem;
  const signal = AbortSignal.timeout(deadlineMs);
  try {
    return verifyResultOf(await authenticator.authenticate(read.request, signal));
  } catch (error) {
    if (!signal.aborted) throw error;
    return `there was no result within ${deadlineMs / 1000} seconds`;
  }
}

/** The result for a person. */
function describe(line: number, result: VerifyResult): string {
  const { status, body, code, requestPrincipal, payload } = result;
  if (code !== null) return `line ${line}: refused with ${status} "${body}" (${code})\n`;
  const who =
    payload === null
      ? "anonymous"
      : requestPrincipal === null
        ? "with a token that names nobody"
        : `as ${requestPrincipal}`;
  const added = Object.entries(result.upstreamHeaders ?? {}).flatMap(([name, value]) =>
    [value].flat().map((one) => `  adds ${name}: ${one}\n`),
  );
  const removed = (result.removedHeaders ?? []).map((name) => `  removes ${name}\n`);
  return `line ${line}: let through, ${who}\n${removed.join("")}${added.join("")}`;
}

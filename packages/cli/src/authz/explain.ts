import type { AuthorizationResult } from "@signet/authorizer";
import type { Workload } from "@signet/documents";
import { type Explanation, explain, policiesFor } from "@signet/policy";
import type { CommandIo } from "../input/command-io.ts";
import { remark, runCommand } from "../input/run-command.ts";
import { printable } from "../text/printable.ts";
import { type DescribedRequest, describedRequest, type ExplainValues, splitHeaders } from "./described-request.ts";
import { explanationAsJson, explanationAsText } from "./explain-report.ts";
import { explainSettings } from "./explain-settings.ts";
import { normalizeRequest } from "./normalize-request.ts";
import { type OpenAuthorizer, openAuthorizer, workloadOf } from "./open-authorizer.ts";

const command = "signet authz explain";
const summary =
  "Says what becomes of a request and why: in a sentence, then each rule with the conditions that hold and those that fail, and\n" +
  "the smallest change that would have it allowed. The request is described by a file, a command line of curl or a line of an\n" +
  "access log, and by flags, which outrank these. Exits 0 when the request is allowed, 1 when it is denied, 2 for a command\n" +
  "line or files that cannot be used.";

/** Longest time, in milliseconds: keys may have to be fetched, by way of discovery. */
const deadlineMs = 30_000;

/** A request, what became of it, and why. */
export type ExplainedRequest = DescribedRequest & {
  readonly result: AuthorizationResult;
  /** Absent where policies were not asked, because something before them denied the request. */
  readonly explanation?: Explanation;
};

/**
 * Runs `signet authz explain` and returns its exit code: 0 when the request is allowed, 1 when it is denied, 2 for a command
 * line or files that cannot be used.
 */
export async function runAuthzExplain(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  io: CommandIo,
): Promise<number> {
  const { headers, rest } = splitHeaders(args);
  return await runCommand({ command, summary }, explainSettings, { args: rest, env, io }, (values) =>
    explainOne({ ...values, header: headers }, io),
  );
}

async function explainOne(values: ExplainValues, io: CommandIo): Promise<0 | 1> {
  const workload = workloadOf(values);
  const found = await describedRequest(values, io);
  const open = await openAuthorizer(values);
  const described = found.isNormalized
    ? found
    : { ...found, request: normalizeRequest(found.request, open.meshConfig) };
  for (const line of open.remarks) remark(io, command, line);
  const authorizer = open.authorizerFor({
    claims: values.claims !== undefined,
    remoteIp: values.remoteIp !== undefined,
  });
  const result = await authorizer.authorize(described.request, workload, AbortSignal.timeout(deadlineMs));
  const explanation = explainResult(result, open, workload);
  const explained = { ...described, result, ...(explanation !== undefined && { explanation }) };
  io.stdout.write(printable(values.json ? explanationAsJson(explained) : explanationAsText(explained, workload)));
  return result.effect === "allow" ? 0 : 1;
}

/** Returns why policies decided as they did, by the same documents; undefined where they were not asked. */
export function explainResult(
  { asked }: AuthorizationResult,
  { compiled }: Pick<OpenAuthorizer, "compiled">,
  workload: Workload,
): Explanation | undefined {
  if (asked === undefined) return undefined;
  return explain(policiesFor(compiled(), workload), asked);
}

import type { AttributedRequest, AuthorizationResult } from "@signet/authorizer";
import type { Workload } from "@signet/documents";
import { renderExplanation, summarizeExplanation } from "@signet/policy";
import { recordOf } from "./decision-record.ts";
import type { ExplainedRequest } from "./explain.ts";

/** Returns the explanation for a person: the request, the decision in a sentence, and a tree of rules and conditions. */
export function explanationAsText(explained: ExplainedRequest, workload: Workload): string {
  const { request, explanation } = explained;
  const lines = [
    describeRequest(request, workload),
    ...(explanation === undefined ? [sentenceOf(explained)] : renderExplanation(explanation)),
    ...remarksOnLog(explained),
  ];
  return `${lines.join("\n")}\n`;
}

/** Returns the explanation for a program: one JSON object with `decision`, `sentence`, `explanation` and `logged`. */
export function explanationAsJson(explained: ExplainedRequest): string {
  const { result, explanation, logged } = explained;
  const shown = {
    decision: recordOf(result),
    sentence: sentenceOf(explained),
    explanation: explanation ?? null,
    logged: logged ?? null,
  };
  return `${JSON.stringify(shown, undefined, 2)}\n`;
}

/** Returns the decision and its reason in a sentence. */
export function sentenceOf({ result, explanation }: Pick<ExplainedRequest, "result" | "explanation">): string {
  return explanation === undefined ? sentenceOfStage(result) : summarizeExplanation(explanation);
}

/** Why a request was denied before any policy of DENY or ALLOW was asked. */
function sentenceOfStage({ reason, answer, provider, policy, rule }: AuthorizationResult): string {
  switch (reason) {
    case "mtls-required":
      return "denied: it came in plaintext, and a PeerAuthentication wants mutual TLS on this port";
    case "jwt-rejected":
      return `denied with ${answer?.status ?? 401}: ${answer?.body ?? "its token is not accepted"}; signet jwt explain says more of the token`;
    case "custom-denied":
      return `denied: provider ${provider} is asked because of rule ${rule} of ${policy?.namespace}/${policy?.name}, and it is not said to allow (--custom-allow ${provider})`;
    default:
      return `${reason}`;
  }
}

function describeRequest(
  { tcp, method, scheme, host, path, source, destination }: AttributedRequest,
  workload: Workload,
): string {
  // A query may hold a token.
  const [plain = "", query] = path.split("?", 2);
  const what = tcp ? "a TCP connection" : `${method} ${scheme}://${host}${plain}${query === undefined ? "" : "?..."}`;
  const from = `from ${source.principal ?? "plaintext"}${source.address === undefined ? "" : ` (${source.address})`}`;
  const labels = [...workload.labels].map(([key, value]) => `${key}=${value}`).join(",");
  const port = destination.port === undefined ? "" : ` port ${destination.port}`;
  const line = `${what} ${from} to ${workload.namespace}${labels === "" ? "" : `/${labels}`}${port}`;
  // A request must not write lines of its own.
  return line.replaceAll("\n", "\\n");
}

/** Whether the log tells of the same decision. */
function remarksOnLog({ logged, result }: ExplainedRequest): readonly string[] {
  if (logged === undefined) return [];
  const { status, details } = logged;
  const lines = [`the log says: ${status}${details === undefined ? "" : ` ${details}`}`];
  const [, matched] = /^rbac_access_denied_matched_policy\[(.*)\]$/.exec(details ?? "") ?? [];
  const wasDenied = matched !== undefined || (details === undefined && status === 403);
  const isSame = wasDenied === (result.effect === "deny") && (matched ?? "none") === (result.id ?? "none");
  if (!wasDenied && result.effect === "allow") return lines;
  if (!isSame) {
    lines.push(
      "that is another decision: a log has no principal and few headers; say them with --principal and --header",
    );
  }
  return lines;
}

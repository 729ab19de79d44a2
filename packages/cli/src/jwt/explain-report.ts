import { describeNumericDate } from "../text/describe-instant.ts";
import { printable } from "../text/printable.ts";
import type { RuleVerdict, TokenExplanation } from "./explain-rules.ts";
import { verifyResultOf } from "./verify-result.ts";

/** Whether a request with the token is let through as somebody. */
export function isAccepted({ result }: TokenExplanation): boolean {
  return result.kind === "authenticated";
}

/** The explanation as one JSON object; the token's signature is not in it. */
export function explanationAsJson(explanation: TokenExplanation): string {
  const { judgedAt, decoded, rules, result, remarks } = explanation;
  const { status, body, requestPrincipal, code } = verifyResultOf(result);
  const token =
    decoded.kind === "decoded"
      ? { header: decoded.header, claims: decoded.claims }
      : { problem: { reason: decoded.reason, detail: decoded.detail } };
  const document = {
    accepted: isAccepted(explanation),
    judgedAt: judgedAt.toISOString(),
    token,
    rules,
    result: { status, body, requestPrincipal, code },
    remarks,
  };
  return `${printable(JSON.stringify(document, undefined, 2))}\n`;
}

/** The explanation for a person. */
export function explanationAsText(explanation: TokenExplanation, file: string): string {
  const { judgedAt, rules, remarks } = explanation;
  const lines = [
    `Token of ${file === "-" ? "standard input" : file}, judged at ${judgedAt.toISOString()}:`,
    ...tokenLines(explanation),
    "",
    ...(rules.length === 0 ? [] : ["Rules, in the order in which they are asked:", ...rules.flatMap(ruleLines), ""]),
    ...remarks,
    conclusion(explanation),
  ];
  return printable(`${lines.join("\n")}\n`);
}

function tokenLines({ decoded, judgedAt }: TokenExplanation): readonly string[] {
  if (decoded.kind === "unreadable") return [`  it cannot be read: ${decoded.detail}`];
  const { header, claims } = decoded;
  const { exp, nbf, iat } = claims;
  const expired = typeof exp === "number" && exp * 1000 <= judgedAt.getTime();
  return [
    `  header   ${JSON.stringify(header)}`,
    `  claims   ${JSON.stringify(claims, undefined, 2).replaceAll("\n", "\n           ")}`,
    ...(iat === undefined ? [] : [`  issued   ${describeNumericDate(iat, judgedAt)}`]),
    ...(nbf === undefined ? [] : [`  valid    ${describeNumericDate(nbf, judgedAt)}`]),
    `  expiry   ${exp === undefined ? "never, by its own words" : `${expired ? "expired" : "expires"} ${describeNumericDate(exp, judgedAt)}`}`,
    "  The signature is not shown.",
  ];
}

function ruleLines({ document, rule, position, verdict, code, sentences }: RuleVerdict): readonly string[] {
  const [first, ...others] = sentences;
  return [
    `  ${document}, rule ${rule} (${position.file}:${position.line}): ${verdict} it`,
    `      ${code === undefined ? "" : `${code}: `}${first}`,
    ...others.map((sentence) => `      ${sentence}`),
  ];
}

function conclusion({ result }: TokenExplanation): string {
  switch (result.kind) {
    case "authenticated":
      return result.principal === undefined
        ? "A request with this token is let through, and is nobody's in particular."
        : `A request with this token is let through as ${result.principal}.`;
    case "anonymous":
      return "A request with this token is let through as anonymous: no rule looks at it.";
    case "rejected":
      return `A request with this token is refused with ${result.status} "${result.body}".`;
  }
}

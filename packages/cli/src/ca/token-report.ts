import { audiencesOf, boundObjects, type DecodedToken } from "../text/decode-token.ts";
import { describeNumericDate } from "../text/describe-instant.ts";
import { printable } from "../text/printable.ts";
import type { TokenVerdict } from "./token-verdict.ts";

/** All that `signet ca explain-token` has to say. */
export type TokenReport = {
  readonly file: string;
  readonly now: Date;
  readonly trustDomain: string;
  readonly decoded: DecodedToken;
  readonly verdicts: readonly (TokenVerdict & { readonly hints: readonly string[] })[];
  /** Whether the Kubernetes cluster is an assumption. */
  readonly clusterAssumed: boolean;
};

/** Whether an authenticator that the server asks would accept the token. */
export function isAccepted({ verdicts }: TokenReport): boolean {
  return verdicts.some(({ configured, verdict }) => configured && verdict === "accepts");
}

/** The report as one JSON object; the token's signature is not in it. */
export function reportAsJson(report: TokenReport): string {
  const { now, trustDomain, decoded, verdicts, clusterAssumed } = report;
  const token =
    decoded.kind === "decoded"
      ? { header: decoded.header, claims: decoded.claims, times: timesOf(decoded.claims, now) }
      : { problem: { reason: decoded.reason, detail: decoded.detail } };
  const document = {
    accepted: isAccepted(report),
    judgedAt: now.toISOString(),
    trustDomain,
    clusterAssumed,
    token,
    authenticators: verdicts,
  };
  return `${printable(JSON.stringify(document, undefined, 2))}\n`;
}

/** The report for a person. */
export function reportAsText(report: TokenReport): string {
  const { file, now, decoded, verdicts } = report;
  const lines = [
    `Token of ${file === "-" ? "standard input" : file}, judged at ${now.toISOString()}:`,
    ...(decoded.kind === "decoded" ? tokenLines(decoded, now) : [`  it cannot be read: ${decoded.detail}`]),
    "",
    "Authenticators, in the order in which the server asks them:",
    ...verdicts.flatMap(verdictLines),
    "",
    ...conclusion(report),
  ];
  return printable(`${lines.join("\n")}\n`);
}

function tokenLines({ header, claims }: Extract<DecodedToken, { kind: "decoded" }>, now: Date): readonly string[] {
  const bound = boundObjects(claims);
  return [
    `  header     ${JSON.stringify(header)}`,
    `  claims     ${JSON.stringify(claims, undefined, 2).replaceAll("\n", "\n             ")}`,
    `  issuer     ${claims.iss === undefined ? "none" : JSON.stringify(claims.iss)}`,
    `  subject    ${claims.sub === undefined ? "none" : JSON.stringify(claims.sub)}`,
    `  audiences  ${
      audiencesOf(claims)
        .map((audience) => JSON.stringify(audience))
        .join(", ") || "none"
    }`,
    ...Object.entries(timesOf(claims, now)).map(
      ([name, words]) => `  ${(timeNames[name] ?? name).padEnd(9)}  ${words}`,
    ),
    ...(bound.length === 0 ? [] : [`  bound to   ${bound.join(", ")}`]),
    "  The signature is not shown.",
  ];
}

const timeNames: Readonly<Record<string, string>> = { notBefore: "valid" };

/** The instants of a token in words. */
function timesOf(claims: Readonly<Record<string, unknown>>, now: Date): Readonly<Record<string, string>> {
  const { exp, nbf, iat } = claims;
  const expired = typeof exp === "number" && exp * 1000 <= now.getTime();
  const expiry = exp === undefined ? "never expires, by its own words" : describeNumericDate(exp, now);
  return {
    ...(iat !== undefined && { issued: describeNumericDate(iat, now) }),
    ...(nbf !== undefined && { notBefore: describeNumericDate(nbf, now) }),
    expiry: exp === undefined ? expiry : `${expired ? "expired" : "expires"} ${expiry}`,
  };
}

const verdictWords = {
  accepts: "accepts it",
  refuses: "refuses it",
  "cannot-tell": "cannot tell offline",
  "not-applicable": "does not apply",
} as const;

function verdictLines(verdict: TokenReport["verdicts"][number]): readonly string[] {
  const { authenticator, mode, configured, reason, detail, spiffeId, unless = [], hints } = verdict;
  const name = mode === undefined ? authenticator : `${authenticator} (${mode})`;
  const unused = configured ? "" : ", and is not asked by this configuration";
  return [
    `  ${name}: ${verdictWords[verdict.verdict]}${unused}`,
    `      ${reason === undefined ? "" : `${reason}: `}${detail}`,
    ...(spiffeId === undefined ? [] : [`      as ${spiffeId}`]),
    ...unless.map((condition) => `      unless ${condition}, which only the API server can say`),
    ...hints.map((hint) => `      ${hint}`),
  ];
}

function conclusion(report: TokenReport): readonly string[] {
  const by = report.verdicts.find(({ configured, verdict }) => configured && verdict === "accepts");
  const open = report.verdicts.filter(({ configured, verdict }) => configured && verdict === "cannot-tell");
  const assumed =
    report.clusterAssumed && by?.authenticator !== "oidc-token"
      ? ["It was assumed that the server runs in a Kubernetes cluster."]
      : [];
  if (by !== undefined) return [`Accepted by ${by.authenticator} as ${by.spiffeId}.`, ...assumed];
  if (open.length === 0) return ["No authenticator would accept this token.", ...assumed];
  const names = open.map(({ authenticator }) => authenticator).join(", ");
  return [`No authenticator is seen to accept this token; ${names} may, which cannot be told offline.`, ...assumed];
}

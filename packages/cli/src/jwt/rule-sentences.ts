import type { JwtRule } from "@signet/documents";
import type { RequestAuthenticationResult } from "@signet/request-auth";
import { audiencesOf, type DecodedToken } from "../text/decode-token.ts";
import { describeNumericDate } from "../text/describe-instant.ts";
import type { RuleKeysInWords } from "./rule-keys.ts";

/** What sentences are made of. */
export type SentenceContext = {
  readonly rule: JwtRule;
  readonly decoded: DecodedToken;
  readonly now: Date;
  readonly keys: RuleKeysInWords;
};

/** What a rule makes of a token in sentences without their full stops: what is the case, then what would help. */
export function sentencesFor(result: RequestAuthenticationResult, context: SentenceContext): readonly string[] {
  switch (result.kind) {
    case "anonymous":
      return ["there is no token in what was given"];
    case "authenticated":
      return result.principal === undefined
        ? [`the token is good by ${context.keys.source}, and names nobody: it lacks iss or sub`]
        : [`the token is good by ${context.keys.source}: requests are from ${result.principal}`];
    case "rejected":
      return refusalSentences(result, context);
  }
}

type Parts = { readonly claims: Readonly<Record<string, unknown>>; readonly header: Readonly<Record<string, unknown>> };

const unreadable: Parts = { claims: {}, header: {} };

function refusalSentences(
  { code, body }: Extract<RequestAuthenticationResult, { kind: "rejected" }>,
  context: SentenceContext,
): readonly string[] {
  const { decoded, now, rule, keys } = context;
  const { claims, header } = decoded.kind === "decoded" ? decoded : unreadable;
  switch (code) {
    case "issuer-unknown":
      return [`the rule is for issuer ${show(rule.issuer)}, and the token is of ${show(claims.iss)}`];
    case "token-expired":
      return [`it expired ${describeNumericDate(claims.exp, now)}, and 60 seconds are allowed`];
    case "token-not-yet-valid":
      return [
        `it is not valid before ${describeNumericDate(claims.nbf, now)}, and 60 seconds are allowed`,
        "compare the clocks of the issuer and of this machine; --now judges at another instant",
      ];
    case "audience-mismatch":
      return [
        `it is for ${audiencesOf(claims).map(show).join(", ") || "nobody in particular"}, and the rule wants ${rule.audiences.map(show).join(" or ")}`,
      ];
    case "keys-unavailable":
      return [
        `the keys of its issuer cannot be had: ${keys.problem ?? "they have not been fetched"}`,
        "--jwks <issuer>=<file> gives them by hand",
      ];
    case "keys-invalid":
      return [`there is no key that can be used in ${keys.source}`];
    case "key-not-found":
      return keyNotFound(header, keys);
    case "signature-invalid":
      return [
        `its signature is not by ${describeKeys(keys.keyIds)} of ${keys.source}`,
        "the token was altered, or signed by somebody else, or the keys are of another issuer of that name",
      ];
    default:
      return [`the token cannot be used, "${body}"${decoded.kind === "decoded" ? "" : `: ${decoded.detail}`}`];
  }
}

function keyNotFound(
  { kid, alg }: Readonly<Record<string, unknown>>,
  { source, keyIds }: RuleKeysInWords,
): readonly string[] {
  const known =
    keyIds.length === 0 ? "which names no keys that fit" : `which has ${keyIds.slice(0, 20).map(show).join(", ")}`;
  if (kid === undefined) return [`no key for algorithm ${show(alg)} is in ${source}, ${known}`];
  return [`key id ${show(kid)} with algorithm ${show(alg)} is not in ${source}, ${known}`];
}

function describeKeys(keyIds: readonly string[]): string {
  if (keyIds.length === 0) return "any key";
  return `${keyIds.length === 1 ? "key" : "any of the keys"} ${keyIds.slice(0, 20).map(show).join(", ")}`;
}

function show(value: unknown): string {
  return value === undefined ? "none" : (JSON.stringify(value) ?? "none").slice(0, 200);
}

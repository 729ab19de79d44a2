import type { JwtRule } from "@signet/documents";
import { checkClaims } from "./check-claims.ts";
import { checkSignature } from "./check-signature.ts";
import type { CompiledJwtRules } from "./compile-jwt-rules.ts";
import type { RequestAuthErrorCode } from "./errors.ts";
import type { ParsedToken } from "./parse-token.ts";
import type { KeysOf } from "./rule-keys.ts";

/** A rule, and what it judges with. */
export type RuleContext = {
  readonly rules: CompiledJwtRules;
  readonly rule: JwtRule;
  readonly nowSeconds: number;
  readonly keysOf: KeysOf;
};

/** What one rule makes of one token, in Envoy's order: issuer, times, audience, keys, signature. */
export async function evaluateToken(
  { rules, rule, nowSeconds, keysOf }: RuleContext,
  token: ParsedToken,
  signal: AbortSignal,
): Promise<RequestAuthErrorCode | "verified"> {
  if (rule.issuer !== "" && rule.issuer !== token.issuer) return "issuer-unknown";
  const compiled = rules.compiled.get(rule);
  if (compiled === undefined) return "keys-invalid";
  const problem = checkClaims(token, { audiences: compiled.audiences, nowSeconds, profile: rules.profile });
  if (problem !== undefined) return problem;
  if (compiled.keys !== undefined) {
    return compiled.keys.length === 0 ? "keys-invalid" : checkSignature(token, compiled.keys);
  }
  const { algorithm: alg, keyId } = token;
  const outcome = await keysOf(rule, keyId === "" ? { alg } : { alg, kid: keyId }, signal);
  return outcome.kind === "keys" ? checkSignature(token, outcome.keys) : "keys-unavailable";
}

import { type JwtClaims, type JwtHeader, parseCompactToken } from "./compact-token.ts";
import { JwtError } from "./errors.ts";

/**
 * Returns header and claims of a token WITHOUT verifying anything: for people who look at tokens, never for a decision.
 * @throws JwtError `token-malformed`, `token-too-large`
 * @example
 * ```ts
 * import { decodeJwtUnverified } from "@signet/jwt";
 * const { claims } = decodeJwtUnverified("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2ln");
 * claims["sub"]; // "alice", says the token
 * ```
 */
export function decodeJwtUnverified(token: string): { readonly header: JwtHeader; readonly claims: JwtClaims } {
  const parsed = parseCompactToken(token);
  if (parsed.kind === "rejected") throw new JwtError(parsed.code, parsed.detail);
  return { header: parsed.header, claims: parsed.claims };
}

import type { JwtClaims } from "./compact-token.ts";
import { type JwtRejected, quote, rejected } from "./errors.ts";

/** What the claims of a token have to say. Instants in seconds since 1970. */
export type ClaimRules = {
  readonly audiences: ReadonlySet<string>;
  readonly clockSkewSeconds: number;
  readonly nowSeconds: number;
};

/** Claims with nothing wrong, and who they are about. */
export type AcceptedClaims = { readonly kind: "accepted"; readonly subject: string };

/**
 * The first thing wrong with the claims, or their subject: expiry, start, audience, subject, in that order.
 *
 * `exp` is required; `nbf` and `iat` count when present (RFC 7519 section 4.1). It can only refuse, so it may run before
 * the signature is known to be good, and a token that expired long ago is called expired rather than signed by a key unknown by now.
 */
export function checkClaims(claims: JwtClaims, rules: ClaimRules): AcceptedClaims | JwtRejected {
  return checkTimes(claims, rules) ?? checkAudience(claims.aud, rules.audiences) ?? checkSubject(claims.sub);
}

function checkTimes(claims: JwtClaims, rules: ClaimRules): JwtRejected | undefined {
  const { exp, nbf, iat } = claims;
  if (exp === undefined) return rejected("expiry-missing", "claim exp is missing");
  if (!isInstant(exp)) return notAnInstant("exp");
  if (nbf !== undefined && !isInstant(nbf)) return notAnInstant("nbf");
  if (iat !== undefined && !isInstant(iat)) return notAnInstant("iat");
  // RFC 7519 section 4.1.4: not accepted on or after exp. Comparisons are such that NaN refuses.
  if (!(rules.nowSeconds - rules.clockSkewSeconds < exp)) {
    return rejected("token-expired", `token expired ${seconds(rules.nowSeconds - exp)} ago`);
  }
  const latest = rules.nowSeconds + rules.clockSkewSeconds;
  if (nbf !== undefined && !(nbf <= latest)) {
    return rejected("token-not-yet-valid", `token is valid in ${seconds(nbf - rules.nowSeconds)} (nbf)`);
  }
  if (iat !== undefined && !(iat <= latest)) {
    return rejected("token-not-yet-valid", `token will be issued in ${seconds(iat - rules.nowSeconds)} (iat)`);
  }
  return undefined;
}

// JSON.parse reads 1e999 as Infinity: a token that never expires.
function isInstant(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

function notAnInstant(name: string): JwtRejected {
  return rejected("token-malformed", `claim ${name} is not a finite number`);
}

function seconds(value: number): string {
  return `${Math.round(value)}s`;
}

function checkAudience(aud: unknown, accepted: ReadonlySet<string>): JwtRejected | undefined {
  const audiences = typeof aud === "string" ? [aud] : aud;
  if (aud === undefined) return rejected("audience-mismatch", "claim aud is missing");
  if (!isStringArray(audiences)) return rejected("token-malformed", "claim aud is neither a string nor strings");
  if (audiences.some((audience) => accepted.has(audience))) return undefined;
  const shown = audiences.slice(0, 5).map(quote).join(", ");
  return rejected(
    "audience-mismatch",
    `token is for ${shown || "nobody"}, accepted is ${[...accepted].map(quote).join(", ")}`,
  );
}

function isStringArray(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}

function checkSubject(sub: unknown): AcceptedClaims | JwtRejected {
  if (sub === undefined || sub === "") return rejected("subject-missing", "claim sub is missing or empty");
  if (typeof sub !== "string") return rejected("token-malformed", "claim sub is not a string");
  return { kind: "accepted", subject: sub };
}

import type { RequestAuthErrorCode } from "./errors.ts";
import type { ParsedToken } from "./parse-token.ts";
import type { RequestAuthProfile } from "./profile.ts";

/** Envoy's allowance for clocks that differ, in seconds; Istio offers no other. */
const clockSkewSeconds = 60;

/** What a rule wants of a token's claims. */
export type ClaimRules = {
  readonly audiences: ReadonlySet<string>;
  readonly nowSeconds: number;
  readonly profile: RequestAuthProfile;
};

/**
 * The first thing wrong with the times and the audience of a token, in Envoy's order, before its signature is looked at: an expired
 * forgery is called expired. `iat` is never compared with the present.
 */
export function checkClaims(token: ParsedToken, rules: ClaimRules): RequestAuthErrorCode | undefined {
  const { audiences, nowSeconds, profile } = rules;
  if (nowSeconds + clockSkewSeconds < token.notBefore) return "token-not-yet-valid";
  if (token.expiry === 0 && profile === "strict") return "expiry-missing";
  if (token.expiry !== 0 && nowSeconds > token.expiry + clockSkewSeconds) return "token-expired";
  if (audiences.size === 0) return undefined;
  return token.audiences.some((audience) => audiences.has(normalizeAudience(audience)))
    ? undefined
    : "audience-mismatch";
}

/** An audience without `http://` or `https://` before it and one slash after it. */
export function normalizeAudience(audience: string): string {
  const start = audience.startsWith("http://") ? 7 : audience.startsWith("https://") ? 8 : 0;
  return audience.slice(start, audience.endsWith("/") ? -1 : undefined);
}

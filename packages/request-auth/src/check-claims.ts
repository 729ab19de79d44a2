import type { RequestAuthErrorCode } from "./errors.ts";
import type { TokenFacts } from "./parse-token.ts";
import type { RequestAuthProfile } from "./profile.ts";

/** Envoy's allowance for clocks that differ, in seconds; Istio offers no other. */
const clockSkewSeconds = 60;

/**
 * What is wrong with the times of a token, which is said before its signature is looked at: an expired forgery is called expired.
 * `iat` is never compared with the present.
 */
export function checkTimes(
  { notBefore, expiry }: TokenFacts,
  nowSeconds: number,
  profile: RequestAuthProfile,
): RequestAuthErrorCode | undefined {
  if (nowSeconds + clockSkewSeconds < notBefore) return "token-not-yet-valid";
  if (expiry === 0) return profile === "strict" ? "expiry-missing" : undefined;
  return nowSeconds > expiry + clockSkewSeconds ? "token-expired" : undefined;
}

/** Whether a token is for none of the audiences of a rule; one without audiences is for every token. */
export function checkAudience(facts: TokenFacts, audiences: ReadonlySet<string>): RequestAuthErrorCode | undefined {
  if (audiences.size === 0 || facts.audiences.some((audience) => audiences.has(normalizeAudience(audience)))) {
    return undefined;
  }
  return "audience-mismatch";
}

/** An audience without `http://` or `https://` before it and one slash after it. */
export function normalizeAudience(audience: string): string {
  const start = audience.startsWith("http://") ? 7 : audience.startsWith("https://") ? 8 : 0;
  return audience.slice(start, audience.endsWith("/") ? -1 : undefined);
}

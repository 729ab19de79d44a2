import { SpiffeError } from "./errors.ts";

declare const trustDomainBrand: unique symbol;

/** A validated SPIFFE trust domain name; the canonical string is the value. */
export type TrustDomain = string & { readonly [trustDomainBrand]: true };

/** Longest trust domain name, in bytes (SPIFFE-ID section 2.4). */
export const maxTrustDomainBytes = 255;

const trustDomainCharacters = /^[a-z0-9._-]+$/;

/**
 * Returns `text` as a trust domain.
 *
 * Lower-case letters, digits, dot, dash and underscore, 1 to 255 bytes (SPIFFE-ID section 2.1).
 * @throws SpiffeError `trust-domain-malformed`, `trust-domain-too-long`
 * @example
 * ```ts
 * import { parseTrustDomain } from "@signet/spiffe";
 * const trustDomain = parseTrustDomain("cluster.local");
 * ```
 */
export function parseTrustDomain(text: string): TrustDomain {
  if (text.length > maxTrustDomainBytes) {
    throw new SpiffeError(
      "trust-domain-too-long",
      `trust domain of ${text.length} characters exceeds ${maxTrustDomainBytes}`,
    );
  }
  if (!trustDomainCharacters.test(text)) {
    throw new SpiffeError(
      "trust-domain-malformed",
      `trust domain ${JSON.stringify(text)} is not made of lower-case letters, digits, ".", "-" and "_"`,
    );
  }
  return text as TrustDomain;
}

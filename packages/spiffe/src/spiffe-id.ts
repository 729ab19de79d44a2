import { SpiffeError } from "./errors.ts";
import { parseTrustDomain, type TrustDomain } from "./trust-domain.ts";

declare const spiffeIdBrand: unique symbol;

/** A validated SPIFFE ID with a path; the canonical string is the value. */
export type SpiffeId = string & { readonly [spiffeIdBrand]: true };

/** Longest SPIFFE ID, in bytes (SPIFFE-ID section 2.4). */
export const maxSpiffeIdBytes = 2048;

const scheme = "spiffe://";
const segmentCharacters = /^[a-zA-Z0-9._-]+$/;

/**
 * Returns `text` as the SPIFFE ID of a workload.
 *
 * No port, user info, query, fragment or percent-encoding; no empty, "." or ".." segment; a path is required,
 * since the bare trust domain names no workload (X509-SVID section 2).
 * @throws SpiffeError `spiffe-id-malformed`, `spiffe-id-too-long`, `spiffe-id-without-path`,
 *   `trust-domain-malformed`, `trust-domain-too-long`
 * @example
 * ```ts
 * import { parseSpiffeId, trustDomainOf } from "@signet/spiffe";
 * const id = parseSpiffeId("spiffe://cluster.local/ns/demo/sa/frontend");
 * trustDomainOf(id); // "cluster.local"
 * ```
 */
export function parseSpiffeId(text: string): SpiffeId {
  if (text.length > maxSpiffeIdBytes) {
    throw new SpiffeError("spiffe-id-too-long", `SPIFFE ID of ${text.length} characters exceeds ${maxSpiffeIdBytes}`);
  }
  if (!text.startsWith(scheme)) {
    throw new SpiffeError("spiffe-id-malformed", `${JSON.stringify(text)} does not start with "spiffe://"`);
  }
  const slash = text.indexOf("/", scheme.length);
  parseTrustDomain(slash < 0 ? text.slice(scheme.length) : text.slice(scheme.length, slash));
  if (slash < 0) {
    throw new SpiffeError("spiffe-id-without-path", `${JSON.stringify(text)} has no path and so names no workload`);
  }
  for (const segment of text.slice(slash + 1).split("/")) {
    if (!segmentCharacters.test(segment) || segment === "." || segment === "..") {
      throw new SpiffeError(
        "spiffe-id-malformed",
        `path segment ${JSON.stringify(segment)} of ${JSON.stringify(text)} is empty, a dot segment or has other characters than letters, digits, ".", "-" and "_"`,
      );
    }
  }
  return text as SpiffeId;
}

/**
 * The trust domain of a SPIFFE ID.
 * @example
 * ```ts
 * import { parseSpiffeId, trustDomainOf } from "@signet/spiffe";
 * trustDomainOf(parseSpiffeId("spiffe://cluster.local/ns/demo/sa/frontend"));
 * ```
 */
export function trustDomainOf(id: SpiffeId): TrustDomain {
  return id.slice(scheme.length, id.indexOf("/", scheme.length)) as TrustDomain;
}

/**
 * The path of a SPIFFE ID, with its leading slash.
 * @example
 * ```ts
 * import { parseSpiffeId, pathOf } from "@signet/spiffe";
 * pathOf(parseSpiffeId("spiffe://cluster.local/ns/demo/sa/frontend")); // "/ns/demo/sa/frontend"
 * ```
 */
export function pathOf(id: SpiffeId): string {
  return id.slice(id.indexOf("/", scheme.length));
}

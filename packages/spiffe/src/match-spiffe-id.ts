import { type SpiffeId, trustDomainOf } from "./spiffe-id.ts";
import type { TrustDomain } from "./trust-domain.ts";

/** Whether a peer with this SPIFFE ID is accepted. */
export type SpiffeIdMatcher = (id: SpiffeId) => boolean;

/**
 * Accepts exactly the given SPIFFE IDs; accepts none when the list is empty.
 * @example
 * ```ts
 * import { matchSpiffeIds, parseSpiffeId } from "@signet/spiffe";
 * const id = parseSpiffeId("spiffe://cluster.local/ns/demo/sa/frontend");
 * matchSpiffeIds([id])(id); // true
 * ```
 */
export function matchSpiffeIds(accepted: readonly SpiffeId[]): SpiffeIdMatcher {
  const set = new Set<string>(accepted);
  return (id) => set.has(id);
}

/**
 * Accepts every SPIFFE ID of the given trust domains (the mesh's own and its aliases); none when the list is empty.
 * @example
 * ```ts
 * import { matchTrustDomains, parseSpiffeId, parseTrustDomain } from "@signet/spiffe";
 * const matches = matchTrustDomains([parseTrustDomain("cluster.local")]);
 * matches(parseSpiffeId("spiffe://cluster.local/ns/demo/sa/frontend")); // true
 * ```
 */
export function matchTrustDomains(accepted: readonly TrustDomain[]): SpiffeIdMatcher {
  const set = new Set<string>(accepted);
  return (id) => set.has(trustDomainOf(id));
}

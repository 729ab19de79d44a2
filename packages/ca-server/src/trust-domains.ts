import { parseSpiffeId, pathOf, type SpiffeId, type TrustDomain, trustDomainOf } from "@signet/spiffe";

/** The mesh's trust domain, and what else it is or was called. */
export type TrustDomains = {
  readonly trustDomain: TrustDomain;
  readonly trustDomainAliases: ReadonlySet<TrustDomain>;
};

/**
 * Returns the SPIFFE ID as this mesh issues it: itself in our trust domain, the same path in ours for one of an alias,
 * undefined for any other. A workload of a mesh that is being renamed thus gets its new name at its next renewal.
 */
export function inTrustDomain(
  spiffeId: SpiffeId,
  { trustDomain, trustDomainAliases }: TrustDomains,
): SpiffeId | undefined {
  const of = trustDomainOf(spiffeId);
  if (of === trustDomain) return spiffeId;
  return trustDomainAliases.has(of) ? parseSpiffeId(`spiffe://${trustDomain}${pathOf(spiffeId)}`) : undefined;
}

import type { MeshConfig } from "@signet/documents";

/** What Istio takes where a mesh config says nothing. */
const defaults = { trustDomain: "cluster.local", rootNamespace: "istio-system" };

/** What translation needs of a mesh config, with Istio's defaults. */
export type MeshView = {
  readonly rootNamespace: string;
  /** The mesh's own first, then its aliases. */
  readonly trustDomains: readonly string[];
  /** Those, and the trust domains of further authorities. */
  readonly peerTrustDomains: readonly string[];
};

/** Returns what translation needs of a mesh config, or of none. */
export function meshView(meshConfig: MeshConfig | undefined): MeshView {
  const { trustDomain = defaults.trustDomain, rootNamespace = defaults.rootNamespace } = meshConfig ?? {};
  const trustDomains = [trustDomain, ...(meshConfig?.trustDomainAliases ?? [])];
  const others = meshConfig?.caCertificates.flatMap((certificate) => certificate.trustDomains) ?? [];
  return { rootNamespace, trustDomains, peerTrustDomains: [...new Set([...trustDomains, ...others])] };
}

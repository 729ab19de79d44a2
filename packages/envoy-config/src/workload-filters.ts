import {
  type AuthorizationPolicy,
  type Document,
  type MeshConfig,
  peerMtls,
  selectDocuments,
  type Workload,
} from "@signet/documents";
import type { EnvoyFilters } from "./envoy-filter.ts";
import { extAuthzFilters } from "./ext-authz-filter.ts";
import { type FilterChain, type FilterChainOptions, inboundFilterChains } from "./filter-chains.ts";
import { type JwtAuthnOptions, jwtAuthnFilter } from "./jwt-authn-filter.ts";
import { meshView } from "./mesh-view.ts";
import type { PeerIdentity } from "./peer-matcher.ts";
import { rbacFilters } from "./rbac-filter.ts";
import { regexSizeWarning } from "./regex-size.ts";
import { strangePrincipals } from "./trust-domain-aliases.ts";

/** For which chain of a workload documents are translated. */
export type WorkloadFiltersOptions = Pick<JwtAuthnOptions, "jwksOf" | "jwksFetchedBy"> & {
  /** HTTP beside a workload, HTTP on a gateway, or TCP on either. Default "inbound". */
  readonly listener?: "inbound" | "gateway" | "tcp";
  /** Istio's defaults where it is absent: trust domain `cluster.local`, root namespace `istio-system`. */
  readonly meshConfig?: MeshConfig;
  /** Whether tokens are verified before CUSTOM providers are asked; in Istio it is after. Default false. */
  readonly jwtFirst?: boolean;
  /** Whether several CUSTOM providers of one workload are each asked; else what they would be asked about is denied. */
  readonly severalProviders?: boolean;
  /** Where the peer's SPIFFE ID is from: "filter-state" on HBONE listeners. Default "tls". */
  readonly peerIdentity?: PeerIdentity;
};

/**
 * Returns the filters that istiod makes for a workload of all documents that attach to it, in the order in which they stand in a
 * filter chain: CUSTOM, JWT, AUDIT, DENY, ALLOW. TCP has no JWT. PeerAuthentications make `workloadFilterChains`.
 *
 * Documents that were refused are the caller's to know about: what they would have forbidden is in no filter. Never throws.
 * @example
 * ```ts
 * import { parseDocuments, parseWorkload } from "@signet/documents";
 * import { workloadFilters } from "@signet/envoy-config";
 * const { documents } = parseDocuments("", { file: "policies.yaml" });
 * workloadFilters(documents, parseWorkload("foo/app=httpbin")).filters.length; // 0
 * ```
 */
export function workloadFilters(
  documents: readonly Document[],
  workload: Workload,
  options: WorkloadFiltersOptions = {},
): EnvoyFilters {
  const { listener = "inbound", meshConfig, jwtFirst = false, ...others } = options;
  const { rootNamespace, trustDomains } = meshView(meshConfig);
  const attached = selectDocuments(documents, workload, { rootNamespace });
  const policies = attached.filter((document) => document.kind === "AuthorizationPolicy");
  const rules = attached.flatMap((document) => (document.kind === "RequestAuthentication" ? document.jwtRules : []));
  const target = { ...others, trustDomains, protocol: listener === "tcp" ? "tcp" : "http" } as const;
  const custom = extAuthzFilters(policies, { ...target, extensionProviders: meshConfig?.extensionProviders ?? [] });
  const jwt =
    listener === "tcp" ? nothing : jwtAuthnFilter(rules, { ...others, clearRouteCache: listener === "gateway" });
  const inOrder = [...(jwtFirst ? [jwt, custom] : [custom, jwt]), rbacFilters(policies, target)];
  const filters = inOrder.flatMap((translated) => translated.filters);
  const sizeWarning = regexSizeWarning(filters);
  const warnings = [
    ...policies.flatMap((policy) => strangePrincipalWarnings(policy, trustDomains)),
    ...inOrder.flatMap((translated) => translated.warnings),
    ...(sizeWarning === undefined ? [] : [sizeWarning]),
  ];
  return { filters, warnings };
}

function strangePrincipalWarnings(
  { namespace, name, rules }: AuthorizationPolicy,
  trustDomains: readonly string[],
): readonly string[] {
  const values = rules.flatMap(({ from, when }) => [
    ...from.flatMap(({ principals, notPrincipals }) => [...principals, ...notPrincipals]),
    ...when.flatMap((condition) =>
      condition.key === "source.principal" ? [...condition.values, ...condition.notValues] : [],
    ),
  ]);
  return [...new Set(strangePrincipals(values, trustDomains))].map(
    (principal) =>
      `principal ${JSON.stringify(principal)} of policy ${namespace}/${name} is of a trust domain that is neither the mesh's nor an alias`,
  );
}

const nothing: EnvoyFilters = { filters: [], warnings: [] };

/**
 * Returns the inbound filter chains that istiod makes for a workload of all PeerAuthentications that attach to it.
 * @example
 * ```ts
 * import { parseDocuments, parseWorkload } from "@signet/documents";
 * import { workloadFilterChains } from "@signet/envoy-config";
 * const { documents } = parseDocuments("", { file: "policies.yaml" });
 * workloadFilterChains(documents, parseWorkload("foo/app=httpbin")).length; // 5: PERMISSIVE
 * ```
 */
export function workloadFilterChains(
  documents: readonly Document[],
  workload: Workload,
  options: Pick<FilterChainOptions, "ports"> & { readonly meshConfig?: MeshConfig } = {},
): readonly FilterChain[] {
  const { meshConfig, ports } = options;
  const { rootNamespace, peerTrustDomains } = meshView(meshConfig);
  const peers = documents.filter((document) => document.kind === "PeerAuthentication");
  return inboundFilterChains(peerMtls(peers, workload, { rootNamespace }), {
    trustDomains: peerTrustDomains,
    ...(meshConfig?.minTlsVersion !== undefined && { minTlsVersion: meshConfig.minTlsVersion }),
    ...(ports !== undefined && { ports }),
  });
}

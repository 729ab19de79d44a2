export { type ConnectionManagerOptions, connectionManagerFields } from "./connection-manager.ts";
export type { EnvoyFilter, EnvoyFilters, Json, JsonMap } from "./envoy-filter.ts";
export { type ExtAuthzOptions, extAuthzFilters } from "./ext-authz-filter.ts";
export {
  type ChainProtocol,
  type FilterChain,
  type FilterChainOptions,
  inboundFilterChains,
} from "./filter-chains.ts";
export { type JwtAuthnOptions, jwtAuthnFilter } from "./jwt-authn-filter.ts";
export type { PeerIdentity } from "./peer-matcher.ts";
export { type RbacOptions, rbacFilters } from "./rbac-filter.ts";
export { type WorkloadFiltersOptions, workloadFilterChains, workloadFilters } from "./workload-filters.ts";

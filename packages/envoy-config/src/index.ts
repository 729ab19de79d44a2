export type { EnvoyFilter, EnvoyFilters, Json, JsonMap } from "./envoy-filter.ts";
export { type JwtAuthnOptions, jwtAuthnFilter } from "./jwt-authn-filter.ts";
export type { PeerIdentity } from "./peer-matcher.ts";
export { type RbacOptions, rbacFilters } from "./rbac-filter.ts";

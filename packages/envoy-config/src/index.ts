export type { EnvoyFilter, EnvoyFilters, Json, JsonMap } from "./envoy-filter.ts";
export { type JwtAuthnOptions, jwtAuthnFilter } from "./jwt-authn-filter.ts";

export { type EnsureEnvoyOptions, type EnvoySearch, ensureEnvoy } from "./demo/ensure-envoy.ts";
export { runSignet } from "./main.ts";

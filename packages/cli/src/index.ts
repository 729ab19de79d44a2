export { demoSettings } from "./demo/demo-settings.ts";
export { cacheDirectory, type EnsureEnvoyOptions, type EnvoySearch, ensureEnvoy } from "./demo/ensure-envoy.ts";
export { devSettings } from "./dev/dev-settings.ts";
export { runSignet } from "./main.ts";
export { tokenSettings } from "./token.ts";

export { CaServerError, type CaServerErrorCode } from "./errors.ts";
export { runCaServer } from "./main.ts";
export { createOfflineAuthenticators, type OfflineAuthenticators } from "./offline-authenticators.ts";
export { type CaServer, type CaServerDependencies, startCaServer } from "./server.ts";
export type { ServingNames } from "./serving/serving-names.ts";
export { type CaServerSettingSpec, type CaServerSettingValues, caServerSettings } from "./setting-spec.ts";
export { type CaServerSettings, type ParsedCaServerSettings, parseCaServerSettings } from "./settings.ts";
export type { TokenIssuer } from "./token-issuers.ts";

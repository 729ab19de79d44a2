export {
  authenticateRequest,
  authenticateRequestNow,
  type RequestAuthDependencies,
  type RequestAuthenticationResult,
} from "./authenticate-request.ts";
export { type ClaimPath, claimAt } from "./claim-path.ts";
export { type CompiledJwtRule, type CompiledJwtRules, compileJwtRules } from "./compile-jwt-rules.ts";
export type { RequestAuthErrorCode } from "./errors.ts";
export type { RequestToAuthenticate } from "./extract-token.ts";
export type { HeaderChanges } from "./forward-claims.ts";
export type { RequestAuthOptions } from "./options.ts";
export type { RequestAuthProfile } from "./profile.ts";
export type { RuleKey } from "./rule-key.ts";
export { type KeysOf, keysFromSources, type RuleKeysOutcome } from "./rule-keys.ts";
export type { TokenLocation, TokenLocations } from "./token-location.ts";

export type { AuthzServerDependencies, CompleteSettings } from "./compose-server.ts";
export { AuthzServerError, type AuthzServerErrorCode } from "./errors.ts";
export { runAuthzServer } from "./main.ts";
export { type AuthzSettingsResult, parseAuthzSettings } from "./parse-settings.ts";
export { type RunningAuthzServer, startAuthzServer } from "./server.ts";
export {
  type AuthzSettings,
  type AuthzSettingValues,
  authzSettings,
  type OnFailure,
  type RedactableField,
} from "./settings.ts";

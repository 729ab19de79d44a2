export type { CircuitState } from "./circuit-breaker.ts";
export { VaultError, type VaultErrorCode } from "./errors.ts";
export type { VaultHealthReason } from "./health-board.ts";
export { type VaultSettingValues, vaultSettings } from "./setting-spec.ts";
export { createVaultCa, type VaultCa, type VaultCaDependencies } from "./vault-ca.ts";
export type { VaultOperation } from "./vault-client.ts";
export type { VaultEvents } from "./vault-events.ts";
export { readVaultSettings, type VaultAuth, type VaultSettings } from "./vault-settings.ts";

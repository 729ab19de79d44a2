/** A Vault in memory, and the behaviour suite that it and the real one pass; for tests only. */

export { type DocumentedAccess, readDocumentedAccess } from "./testing/documented-access.ts";
export { type FakeVault, type FakeVaultFault, type SeenRequest, startFakeVault } from "./testing/fake-vault.ts";
export { issuerBundle } from "./testing/issuer-bundle.ts";
export { operateVault, type VaultOperator } from "./testing/operate-vault.ts";
export { type RecordedVaultEvents, recordingVaultEvents } from "./testing/recording-vault-events.ts";
export { type RunningVaultCa, runVaultCa, untilReady } from "./testing/running-vault-ca.ts";
export { type VaultCaSubject, type VaultSuiteTools, vaultCaSuite } from "./testing/vault-ca-suite.ts";
export { setVaultStage, textOf, type VaultStage } from "./testing/vault-stage.ts";
export type { VaultUnderTest } from "./testing/vault-under-test.ts";

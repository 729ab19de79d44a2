export type { CsrSigningEvents } from "./csr-events.ts";
export {
  type CsrSigningCa,
  type CsrSigningCaDependencies,
  type CsrSigningCaOptions,
  createCsrSigningCa,
} from "./csr-signing-ca.ts";
export { CaKubernetesError, type CaKubernetesErrorCode } from "./errors.ts";
export { type ExternalRootOptions, readExternalRoot } from "./external-root.ts";
export { openSelfSignedSecretCa, type SelfSignedSecretCaOptions } from "./open-self-signed-secret-ca.ts";
export { openPluggedInSecretCa, type PluggedInSecretOptions, readPluggedInSecret } from "./plugged-in-secret.ts";
export { createRootPublisher, type RootPublisher } from "./root-publisher.ts";
export type {
  PublishedPlace,
  RootPublisherDependencies,
  RootPublisherEvents,
  RootPublisherOptions,
  RootPublisherStatus,
} from "./root-publishing.ts";
export type { SecretCa, SecretCaDependencies, SecretCaEvents } from "./secret-ca.ts";
export { createSecretState, type SecretState, type SecretStateOptions } from "./secret-state.ts";
export {
  type CaKubernetesSettingSpec,
  type CaKubernetesSettingValues,
  caKubernetesSettings,
} from "./setting-spec.ts";
export { type CaKubernetesSettings, readCaKubernetesSettings } from "./settings.ts";
export type { MeshCaCertificate } from "./signer-roots.ts";

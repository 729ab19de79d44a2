import { type CaKubernetesSettingValues, caKubernetesSettings } from "@signet/ca-kubernetes";
import { type VaultSettingValues, vaultSettings } from "@signet/ca-vault";
import type { Setting } from "@signet/runtime";
import { type CallerSettingValues, callerSettings } from "./settings/caller-settings.ts";
import { type CertificateSettingValues, certificateSettings } from "./settings/certificate-settings.ts";
import { type ClusterSettingValues, clusterSettings } from "./settings/cluster-settings.ts";
import { type ListenerSettingValues, listenerSettings } from "./settings/listener-settings.ts";
import { type ServingSettingValues, servingSettings } from "./settings/serving-settings.ts";
import { type UnsupportedSettingValues, unsupportedSettings } from "./settings/unsupported-settings.ts";

/** The settings as parsed one by one, before they are checked against each other. Durations in milliseconds. */
export type CaServerSettingValues = ListenerSettingValues &
  CertificateSettingValues &
  ServingSettingValues &
  CallerSettingValues &
  ClusterSettingValues &
  CaKubernetesSettingValues &
  VaultSettingValues &
  UnsupportedSettingValues;

/** How each of them is read. */
export type CaServerSettingSpec = {
  readonly [Name in keyof CaServerSettingValues]: Setting<CaServerSettingValues[Name]>;
};

/** Everything the CA server can be told, by environment variable or flag; Istio's names and defaults where Istio has them. */
export const caServerSettings: CaServerSettingSpec = {
  ...listenerSettings,
  ...certificateSettings,
  ...servingSettings,
  ...callerSettings,
  ...clusterSettings,
  ...caKubernetesSettings,
  ...vaultSettings,
  ...unsupportedSettings,
};

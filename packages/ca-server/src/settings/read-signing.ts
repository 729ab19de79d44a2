import { type CaKubernetesSettings, readCaKubernetesSettings } from "@signet/ca-kubernetes";
import { readVaultSettings, type VaultSettings } from "@signet/ca-vault";
import { formatDuration } from "@signet/runtime";
import type { KeyType } from "@signet/x509";
import type { CaServerSettingValues } from "../setting-spec.ts";

/** What signs: as istiod chooses among its own, or Vault. */
export type SigningCaChoice = "istio" | "vault";

/** What signs, and what is needed to reach it. */
export type SigningSettings = {
  readonly primary: SigningCaChoice;
  /** Signs while `primary` cannot. */
  readonly standby?: SigningCaChoice;
  /** Present where Vault is one of them. */
  readonly vault?: VaultSettings;
  readonly kubernetes: CaKubernetesSettings;
  /** Holds a plugged-in CA, or none of its files. */
  readonly rootCaDirectory: string;
  /** Keeps the self-signed CA where there is neither a plugged-in one nor a Kubernetes API. */
  readonly stateDirectory: string;
  /** What a new self-signed root is like. */
  readonly selfSigned: { readonly keyType: KeyType; readonly ttlMs: number };
};

/** Returns what signs, and a sentence for every problem with it. */
export function readSigningSettings(values: CaServerSettingValues): {
  readonly signing: SigningSettings;
  readonly problems: readonly string[];
} {
  const { signingCa: primary, standbyCa: standby, rootCaDirectory, stateDirectory } = values;
  const kubernetes = readCaKubernetesSettings(values);
  const vault = readVaultSettings(values);
  const usesVault = primary === "vault" || standby === "vault";
  const signing: SigningSettings = {
    ...{ primary, rootCaDirectory, stateDirectory, kubernetes: kubernetes.settings },
    ...(standby !== undefined && { standby }),
    ...(usesVault && vault.settings !== undefined && { vault: vault.settings }),
    selfSigned: { keyType: selfSignedKeyType(values), ttlMs: values.selfSignedTtlMs },
  };
  // VAULT_ADDR is in many a shell that has nothing to do with us.
  const vaultProblems = usesVault ? vault.problems : [];
  const problems = [...kubernetes.problems, ...vaultProblems, ...checkChoice(values), ...checkLifetimes(values)];
  if (standby !== undefined && kubernetes.settings.registrationAuthority?.certSignerDomain !== undefined) {
    problems.push("CERT_SIGNER_DOMAIN lets callers choose their signer, and SIGNET_STANDBY_CA would sign in its place");
  }
  return { signing, problems };
}

function checkChoice(values: CaServerSettingValues): readonly string[] {
  const { signingCa, standbyCa, externalCa, vaultAddress, kubeconfig, kubernetesServiceHost } = values;
  const problems: string[] = [];
  const usesVault = signingCa === "vault" || standbyCa === "vault";
  if (standbyCa === signingCa) problems.push(`SIGNET_STANDBY_CA ${standbyCa} is what SIGNET_SIGNING_CA is already`);
  if (usesVault && vaultAddress === "") problems.push("Vault is to sign, and VAULT_ADDR is not set");
  if (externalCa !== undefined && kubeconfig === "" && kubernetesServiceHost === "") {
    problems.push(`EXTERNAL_CA ${externalCa} needs a cluster to run in, or SIGNET_KUBECONFIG`);
  }
  if (externalCa !== undefined && signingCa === "vault" && standbyCa === undefined) {
    problems.push(`EXTERNAL_CA ${externalCa} and SIGNET_SIGNING_CA vault contradict each other`);
  }
  return problems;
}

function checkLifetimes(values: CaServerSettingValues): readonly string[] {
  const problems: string[] = [];
  if (values.defaultTtlMs > values.maxTtlMs) {
    const [usual, most] = [formatDuration(values.defaultTtlMs), formatDuration(values.maxTtlMs)];
    problems.push(`DEFAULT_WORKLOAD_CERT_TTL ${usual} exceeds MAX_WORKLOAD_CERT_TTL ${most}`);
  }
  if (values.selfSignedKey === "rsa-2048" && values.selfSignedRsaBits !== "2048") {
    problems.push(
      `SIGNET_SELF_SIGNED_CA_KEY rsa-2048 contradicts CITADEL_SELF_SIGNED_CA_RSA_KEY_SIZE ${values.selfSignedRsaBits}`,
    );
  }
  return problems;
}

function selfSignedKeyType(values: CaServerSettingValues): KeyType {
  if (values.selfSignedKey === "p256") return "P-256";
  return `RSA-${values.selfSignedRsaBits}`;
}

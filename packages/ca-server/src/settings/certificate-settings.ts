import { type Setting, setting } from "@signet/runtime";
import { parseTrustDomain, type TrustDomain } from "@signet/spiffe";

/** What certificates are like, and what signs them. Durations in milliseconds. */
export type CertificateSettingValues = {
  readonly trustDomain: TrustDomain | undefined;
  readonly meshConfigFile: string | undefined;
  readonly signingCa: "istio" | "vault";
  readonly standbyCa: "istio" | "vault" | undefined;
  readonly stateDirectory: string;
  readonly selfSignedKey: "rsa-2048" | "p256" | undefined;
  readonly selfSignedTtlMs: number;
  readonly selfSignedRsaBits: "2048" | "3072" | "4096";
  readonly rootCaDirectory: string;
  readonly defaultTtlMs: number;
  readonly maxTtlMs: number;
};

const hourMs = 3_600_000;

/** Trust domain, lifetimes and the signing CA. */
export const certificateSettings: {
  readonly [Name in keyof CertificateSettingValues]: Setting<CertificateSettingValues[Name]>;
} = {
  trustDomain: setting.parsed({
    env: "SIGNET_TRUST_DOMAIN",
    flag: "trust-domain",
    // Istio allows an @ in the trust domain of its mesh config, and writes a dot for it into every SPIFFE ID.
    read: (text) => parseTrustDomain(text.replaceAll("@", ".")),
    description:
      "trust domain of the certificates that are issued, an @ in it becomes a dot; that of the mesh config unless set, else cluster.local",
  }),
  meshConfigFile: setting.text({
    env: "SIGNET_MESH_CONFIG",
    flag: "meshConfig",
    description:
      "file of Istio's mesh config, for trustDomain and trustDomainAliases; ./etc/istio/config/mesh if there is one, unless set",
  }),
  signingCa: setting.choice({
    env: "SIGNET_SIGNING_CA",
    flag: "signing-ca",
    choices: ["istio", "vault"],
    default: "istio",
    description:
      "what signs: as istiod chooses (EXTERNAL_CA, else a plugged-in CA, else a self-signed one), or Vault (VAULT_ADDR)",
  }),
  standbyCa: setting.choice({
    env: "SIGNET_STANDBY_CA",
    flag: "standby-ca",
    choices: ["istio", "vault"],
    description: "signs while SIGNET_SIGNING_CA cannot; workloads trust the roots of both; none unless set",
  }),
  stateDirectory: setting.text({
    env: "SIGNET_STATE_DIR",
    flag: "state-dir",
    default: "./var/lib/signet",
    description: "where the self-signed CA is kept; unused with a plugged-in CA",
  }),
  selfSignedKey: setting.choice({
    env: "SIGNET_SELF_SIGNED_CA_KEY",
    flag: "self-signed-ca-key",
    choices: ["rsa-2048", "p256"],
    description: "key of a new self-signed root; RSA of CITADEL_SELF_SIGNED_CA_RSA_KEY_SIZE bits unless set",
  }),
  selfSignedTtlMs: setting.duration({
    env: "CITADEL_SELF_SIGNED_CA_CERT_TTL",
    flag: "citadel-self-signed-ca-cert-ttl",
    default: 87_600 * hourMs,
    minMs: 1_000,
    description: "lifetime of a new self-signed root",
  }),
  selfSignedRsaBits: setting.choice({
    env: "CITADEL_SELF_SIGNED_CA_RSA_KEY_SIZE",
    flag: "citadel-self-signed-ca-rsa-key-size",
    choices: ["2048", "3072", "4096"],
    default: "2048",
    description: "bits of the RSA key of a new self-signed root",
  }),
  rootCaDirectory: setting.text({
    env: "ROOT_CA_DIR",
    flag: "root-ca-dir",
    default: "./etc/cacerts",
    description: "directory of a plugged-in CA; the CA is self-signed when it holds none",
  }),
  defaultTtlMs: setting.duration({
    env: "DEFAULT_WORKLOAD_CERT_TTL",
    flag: "default-workload-cert-ttl",
    default: 24 * hourMs,
    minMs: 1_000,
    description: "lifetime of a certificate when the caller asks for none",
  }),
  maxTtlMs: setting.duration({
    env: "MAX_WORKLOAD_CERT_TTL",
    flag: "max-workload-cert-ttl",
    default: 2_160 * hourMs,
    minMs: 1_000,
    description: "longest lifetime that a caller may ask for",
  }),
};

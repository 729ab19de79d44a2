import { type Setting, setting } from "@signet/runtime";
import type { VaultAuth } from "./vault-settings.ts";

/** The settings as parsed one by one. */
export type VaultSettingValues = {
  readonly vaultAddress: string;
  readonly vaultNamespace: string;
  readonly vaultCaFile: string;
  readonly vaultToken: string;
  readonly vaultClientCertificateFile: string;
  readonly vaultClientKeyFile: string;
  readonly vaultPkiMount: string;
  readonly vaultRole: string;
  readonly vaultServingRole: string;
  readonly vaultIssuer: string;
  readonly vaultAuth: VaultAuth["kind"];
  readonly vaultAuthMount: string;
  readonly vaultAuthRole: string;
  readonly vaultTokenFile: string;
  readonly vaultRoleId: string;
  readonly vaultSecretIdFile: string;
  readonly vaultKubernetesTokenFile: string;
  readonly vaultRootFile: string;
  readonly vaultTimeoutMs: number;
  readonly vaultRefreshMs: number;
};

/**
 * Everything about Vault that a CA server can be told; Vault's own names where Vault has them. Part of the spec of
 * `parseSettings`.
 * @example
 * ```ts
 * import { vaultSettings } from "@signet/ca-vault";
 * import { parseSettings } from "@signet/runtime";
 * parseSettings(vaultSettings, { env: { VAULT_ADDR: "https://vault.example:8200" }, args: [] });
 * ```
 */
export const vaultSettings: { readonly [Name in keyof VaultSettingValues]: Setting<VaultSettingValues[Name]> } = {
  vaultAddress: setting.text({
    env: "VAULT_ADDR",
    flag: "vault-addr",
    default: "",
    description: "Vault or OpenBao to sign with, such as https://vault.example:8200; http for loopback addresses only",
  }),
  vaultNamespace: setting.text({
    env: "VAULT_NAMESPACE",
    flag: "vault-namespace",
    default: "",
    description: "sent to Vault as X-Vault-Namespace with every call",
  }),
  vaultCaFile: setting.text({
    env: "VAULT_CACERT",
    flag: "vault-cacert",
    default: "",
    description: "file of the authorities that vouch for Vault's certificate (empty: those that come with Node)",
  }),
  // No flag: a command line can be read by anyone on the machine.
  vaultToken: setting.text({
    env: "VAULT_TOKEN",
    default: "",
    description: "token for Vault, with SIGNET_VAULT_AUTH=token",
    secret: true,
  }),
  vaultClientCertificateFile: setting.text({
    env: "VAULT_CLIENT_CERT",
    flag: "vault-client-cert",
    default: "",
    description: "file of the client certificate for Vault, read again when it changes",
  }),
  vaultClientKeyFile: setting.text({
    env: "VAULT_CLIENT_KEY",
    flag: "vault-client-key",
    default: "",
    description: "file of the key of the client certificate for Vault",
  }),
  vaultPkiMount: setting.text({
    env: "SIGNET_VAULT_PKI_MOUNT",
    flag: "vault-pki-mount",
    default: "pki",
    description: "mount path of Vault's PKI engine",
  }),
  vaultRole: setting.text({
    env: "SIGNET_VAULT_ROLE",
    flag: "vault-role",
    default: "signet",
    description: "PKI role that signs workload certificates",
  }),
  vaultServingRole: setting.text({
    env: "SIGNET_VAULT_SERVING_ROLE",
    flag: "vault-serving-role",
    default: "",
    description: "PKI role that signs the server's own certificate (empty: the role that signs workload certificates)",
  }),
  vaultIssuer: setting.text({
    env: "SIGNET_VAULT_ISSUER",
    flag: "vault-issuer",
    default: "",
    description: "name or id of the PKI issuer to sign with (empty: the one that the role names)",
  }),
  vaultAuth: setting.choice({
    env: "SIGNET_VAULT_AUTH",
    flag: "vault-auth",
    choices: ["token", "token-file", "approle", "kubernetes", "cert"],
    default: "token",
    description: "how to log in to Vault",
  }),
  vaultAuthMount: setting.text({
    env: "SIGNET_VAULT_AUTH_MOUNT",
    flag: "vault-auth-mount",
    default: "",
    description: "mount path of the auth method (empty: approle, kubernetes or cert, after the method)",
  }),
  vaultAuthRole: setting.text({
    env: "SIGNET_VAULT_AUTH_ROLE",
    flag: "vault-auth-role",
    default: "",
    description: "role to log in with: required by kubernetes, optional with cert",
  }),
  vaultTokenFile: setting.text({
    env: "SIGNET_VAULT_TOKEN_FILE",
    flag: "vault-token-file",
    default: "",
    description: "file of the token for Vault, read again when it changes, with SIGNET_VAULT_AUTH=token-file",
  }),
  vaultRoleId: setting.text({
    env: "SIGNET_VAULT_ROLE_ID",
    flag: "vault-role-id",
    default: "",
    description: "role id of the AppRole",
  }),
  vaultSecretIdFile: setting.text({
    env: "SIGNET_VAULT_SECRET_ID_FILE",
    flag: "vault-secret-id-file",
    default: "",
    description: "file of the secret id of the AppRole, read at every login (empty: the AppRole needs none)",
  }),
  vaultKubernetesTokenFile: setting.text({
    env: "SIGNET_VAULT_KUBERNETES_TOKEN_FILE",
    flag: "vault-kubernetes-token-file",
    default: "/var/run/secrets/kubernetes.io/serviceaccount/token",
    description: "file of the service account token for Vault, read at every login",
  }),
  vaultRootFile: setting.text({
    env: "SIGNET_VAULT_ROOT_FILE",
    flag: "vault-root-file",
    default: "",
    description: "file of the only roots that are trusted and published (empty: the roots of all issuers of the mount)",
  }),
  vaultTimeoutMs: setting.duration({
    env: "SIGNET_VAULT_TIMEOUT",
    flag: "vault-timeout",
    default: 5000,
    minMs: 100,
    maxMs: 60_000,
    description: "how long a call of Vault may take",
  }),
  vaultRefreshMs: setting.duration({
    env: "SIGNET_VAULT_REFRESH",
    flag: "vault-refresh",
    default: 60_000,
    minMs: 1000,
    maxMs: 3_600_000,
    description: "how often the issuers and the role are read again",
  }),
};

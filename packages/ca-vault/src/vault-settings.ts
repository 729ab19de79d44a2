import { isIP } from "node:net";
import type { VaultSettingValues } from "./setting-spec.ts";

/** How we prove to Vault who we are. */
export type VaultAuth =
  | { readonly kind: "token"; readonly token: string }
  | { readonly kind: "token-file"; readonly path: string }
  | { readonly kind: "approle"; readonly mount: string; readonly roleId: string; readonly secretIdFile?: string }
  | { readonly kind: "kubernetes"; readonly mount: string; readonly role: string; readonly tokenFile: string }
  | { readonly kind: "cert"; readonly mount: string; readonly role?: string };

/** Where Vault is, what signs there, and how we may ask. Files are read anew when they are needed. */
export type VaultSettings = {
  /** Origin only, such as "https://vault.example:8200"; http for a loopback address alone. */
  readonly address: string;
  readonly namespace?: string;
  /** PEM file of the authorities that vouch for Vault's server certificate; without it those that come with Node. */
  readonly caFile?: string;
  /** Sent on every connection to Vault; needed for the login by certificate. */
  readonly clientCertificate?: { readonly certificateFile: string; readonly keyFile: string };
  readonly auth: VaultAuth;
  /** Mount path of the PKI engine, without slashes at its ends. */
  readonly pkiMount: string;
  /** Signs X509-SVIDs. */
  readonly role: string;
  /** Signs the CA server's own certificates, which have DNS names and IP addresses. */
  readonly servingRole: string;
  /** Name or id of an issuer; without it the role's own. */
  readonly issuer?: string;
  /** PEM file of the only roots that count; without it the roots of all issuers of the mount do. */
  readonly pinnedRootFile?: string;
  /** For each call, and for a signature as a whole, in milliseconds. */
  readonly timeoutMs: number;
  /** How often the mount's issuers and the role are read again, in milliseconds. */
  readonly refreshMs: number;
};

/**
 * Returns the settings for Vault, which are undefined where VAULT_ADDR is empty, and every problem with them at once.
 * @example
 * ```ts
 * import { readVaultSettings, vaultSettings } from "@signet/ca-vault";
 * import { parseSettings } from "@signet/runtime";
 * const env = { VAULT_ADDR: "https://vault.example:8200", SIGNET_VAULT_AUTH: "approle", SIGNET_VAULT_ROLE_ID: "signet" };
 * const parsed = parseSettings(vaultSettings, { env, args: [] });
 * if (parsed.kind === "settings") readVaultSettings(parsed.values).problems; // []
 * ```
 */
export function readVaultSettings(values: VaultSettingValues): {
  readonly settings?: VaultSettings;
  readonly problems: readonly string[];
} {
  if (values.vaultAddress === "") return { problems: [] };
  const address = parseAddress(values.vaultAddress);
  const auth = readAuth(values);
  const problems = [
    ...(address === undefined ? [addressProblem(values)] : []),
    ...auth.problems,
    ...checkNames(values),
  ];
  if ((values.vaultClientCertificateFile === "") !== (values.vaultClientKeyFile === "")) {
    problems.push("VAULT_CLIENT_CERT and VAULT_CLIENT_KEY: one is set without the other");
  }
  if (address === undefined || auth.auth === undefined || problems.length > 0) return { problems };
  const { vaultRole: role, vaultTimeoutMs: timeoutMs, vaultRefreshMs: refreshMs } = values;
  const clientCertificate = { certificateFile: values.vaultClientCertificateFile, keyFile: values.vaultClientKeyFile };
  const settings: VaultSettings = {
    ...{ address, auth: auth.auth, role, timeoutMs, refreshMs },
    pkiMount: trimSlashes(values.vaultPkiMount),
    servingRole: values.vaultServingRole || role,
    ...optional("namespace", values.vaultNamespace),
    ...optional("caFile", values.vaultCaFile),
    ...optional("issuer", values.vaultIssuer),
    ...optional("pinnedRootFile", values.vaultRootFile),
    ...(values.vaultClientCertificateFile === "" ? {} : { clientCertificate }),
  };
  return { settings, problems };
}

/** An origin; plain http reaches no further than this machine, since tokens go over it. */
function parseAddress(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined;
  const { protocol, hostname, username, password, pathname, search, hash, origin } = new URL(text);
  if (username !== "" || password !== "" || pathname !== "/" || search !== "" || hash !== "") return undefined;
  const loopback =
    hostname === "localhost" || hostname === "[::1]" || (isIP(hostname) === 4 && hostname.startsWith("127."));
  return protocol === "https:" || (protocol === "http:" && loopback) ? origin : undefined;
}

function addressProblem({ vaultAddress }: VaultSettingValues): string {
  // It may have been given with a password in it.
  const shown = vaultAddress.includes("@") ? "the value (not shown)" : JSON.stringify(vaultAddress.slice(0, 200));
  return `VAULT_ADDR: ${shown} is not an https URL without path, or an http URL of a loopback address`;
}

function readAuth(values: VaultSettingValues): { readonly auth?: VaultAuth; readonly problems: readonly string[] } {
  const mount = trimSlashes(values.vaultAuthMount) || values.vaultAuth;
  const missing = (names: string): { problems: readonly string[] } => ({
    problems: [`SIGNET_VAULT_AUTH ${values.vaultAuth} needs ${names}`],
  });
  const found = (auth: VaultAuth): { auth: VaultAuth; problems: readonly string[] } => ({ auth, problems: [] });
  switch (values.vaultAuth) {
    case "token":
      if (values.vaultToken === "") return missing("VAULT_TOKEN");
      if (!isToken(values.vaultToken)) return { problems: ["VAULT_TOKEN: the value (not shown) is not a token"] };
      return found({ kind: "token", token: values.vaultToken });
    case "token-file":
      if (values.vaultTokenFile === "") return missing("SIGNET_VAULT_TOKEN_FILE");
      return found({ kind: "token-file", path: values.vaultTokenFile });
    case "approle":
      if (values.vaultRoleId === "") return missing("SIGNET_VAULT_ROLE_ID");
      return found({
        kind: "approle",
        mount,
        roleId: values.vaultRoleId,
        ...optional("secretIdFile", values.vaultSecretIdFile),
      });
    case "kubernetes":
      if (values.vaultAuthRole === "") return missing("SIGNET_VAULT_AUTH_ROLE");
      return found({
        kind: "kubernetes",
        mount,
        role: values.vaultAuthRole,
        tokenFile: values.vaultKubernetesTokenFile,
      });
    case "cert":
      if (values.vaultClientCertificateFile === "") return missing("VAULT_CLIENT_CERT and VAULT_CLIENT_KEY");
      return found({ kind: "cert", mount, ...optional("role", values.vaultAuthRole) });
  }
}

/** Whether it can be sent as a header; Vault says what else a token is. */
export function isToken(text: string): boolean {
  return /^[\x21-\x7e]{1,4096}$/.test(text);
}

const segment = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/;

function checkNames(values: VaultSettingValues): readonly string[] {
  const paths = { SIGNET_VAULT_PKI_MOUNT: values.vaultPkiMount, SIGNET_VAULT_AUTH_MOUNT: values.vaultAuthMount };
  const names = {
    SIGNET_VAULT_ROLE: values.vaultRole,
    SIGNET_VAULT_SERVING_ROLE: values.vaultServingRole,
    SIGNET_VAULT_ISSUER: values.vaultIssuer,
  };
  const optionalNames = ["SIGNET_VAULT_AUTH_MOUNT", "SIGNET_VAULT_SERVING_ROLE", "SIGNET_VAULT_ISSUER"];
  const isMissing = ([name, value]: readonly [string, string]): boolean =>
    value === "" && !optionalNames.includes(name);
  const isPath = (path: string): boolean =>
    trimSlashes(path)
      .split("/")
      .every((part) => segment.test(part));
  const all = [...Object.entries(paths), ...Object.entries(names)];
  const problems = all.filter(isMissing).map(([name]) => `${name} is empty`);
  for (const [name, path] of Object.entries(paths)) {
    if (path !== "" && !isPath(path))
      problems.push(`${name}: ${quote(path)} is not a path of letters, digits, "_", "." and "-"`);
  }
  for (const [name, value] of Object.entries(names)) {
    if (value !== "" && !segment.test(value))
      problems.push(`${name}: ${quote(value)} is not a name of letters, digits, "_", "." and "-"`);
  }
  if (/[^\x21-\x7e]/.test(values.vaultNamespace))
    problems.push(`VAULT_NAMESPACE: ${quote(values.vaultNamespace)} is not printable ASCII`);
  return problems;
}

function trimSlashes(path: string): string {
  return path.replaceAll(/^\/+|\/+$/g, "");
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 200));
}

function optional<K extends string>(key: K, value: string): Partial<Record<K, string>> {
  // The one key of the record is K.
  return value === "" ? {} : ({ [key]: value } as Record<K, string>);
}

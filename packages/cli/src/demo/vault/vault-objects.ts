import { randomBytes } from "node:crypto";
import type { HttpsAnswer } from "./https-json.ts";
import type { VaultServer } from "./vault-server.ts";

/**
 * Makes what a demo or a test needs in Vault, with the root token; every maker throws unless Vault does what it is told.
 *
 * Mounts and policies get names of their own, so that suites can share a Vault, and are removed from one of somebody else.
 */
export interface VaultObjects {
  /** Mounts a secrets engine ("pki") and returns its path. */
  enableSecrets(type: string, config?: MountConfig): Promise<string>;
  /** Enables an auth method ("approle", "kubernetes", "cert") and returns its path, without auth/. */
  enableAuth(type: string, config?: MountConfig): Promise<string>;
  /** A PKI mount with a root whose key Vault makes. */
  createPkiRoot(root: PkiRootSpec): Promise<PkiRoot>;
  /** Writes a policy in HCL and returns its name. */
  writePolicy(hcl: string): Promise<string>;
  /** A token without a parent, and without the default policy. */
  createToken(token: VaultTokenSpec): Promise<string>;
  /** `path` is what follows /v1/. */
  read(path: string): Promise<HttpsAnswer>;
  write(path: string, body: unknown): Promise<HttpsAnswer>;
  remove(path: string): Promise<void>;
}

/** Durations are Vault's, such as "90s" or "24h". */
export type MountConfig = { readonly default_lease_ttl?: string; readonly max_lease_ttl?: string };
export type PkiRootSpec = {
  readonly commonName: string;
  /** "24h" when absent. */
  readonly ttl?: string;
  /** "ec" with 256 bits when absent. */
  readonly key?: { readonly type: "rsa" | "ec" | "ed25519"; readonly bits: number };
};
export type PkiRoot = { readonly mount: string; readonly certificatePem: string; readonly issuerId: string };
export type VaultTokenSpec = {
  readonly policies: readonly string[];
  readonly ttl: string;
  /** False when absent. */
  readonly renewable?: boolean;
  readonly explicitMaxTtl?: string;
};

/** The makers for one Vault. */
export function vaultObjects(server: VaultServer): VaultObjects {
  const write: VaultObjects["write"] = (path, body) => send(server, { method: "POST", path, body });
  async function enable(place: "sys/mounts" | "sys/auth", type: string, config: MountConfig): Promise<string> {
    const name = unique(type);
    await write(`${place}/${name}`, { type, config });
    server.afterUse({ method: "DELETE", path: `${place}/${name}` });
    return name;
  }
  const enableSecrets: VaultObjects["enableSecrets"] = (type, config = {}) => enable("sys/mounts", type, config);
  return {
    write,
    enableSecrets,
    enableAuth: (type, config = {}) => enable("sys/auth", type, config),
    async createPkiRoot({ commonName, ttl = "24h", key = { type: "ec", bits: 256 } }) {
      const mount = await enableSecrets("pki", { max_lease_ttl: ttl });
      const body = { common_name: commonName, ttl, key_type: key.type, key_bits: key.bits };
      const made = await write(`${mount}/root/generate/internal`, body);
      return { mount, certificatePem: made.textAt("data", "certificate"), issuerId: made.textAt("data", "issuer_id") };
    },
    async writePolicy(policy) {
      const path = `sys/policies/acl/${unique("policy")}`;
      await write(path, { policy });
      server.afterUse({ method: "DELETE", path });
      return path.slice("sys/policies/acl/".length);
    },
    async createToken({ policies, ttl, renewable = false, explicitMaxTtl }) {
      const body = { policies, ttl, renewable, explicit_max_ttl: explicitMaxTtl, no_default_policy: true };
      return (await write("auth/token/create-orphan", body)).textAt("auth", "client_token");
    },
    read: (path) => send(server, { method: "GET", path }),
    async remove(path) {
      await send(server, { method: "DELETE", path });
    },
  };
}

async function send(
  server: VaultServer,
  call: { readonly method: string; readonly path: string; readonly body?: unknown },
): Promise<HttpsAnswer> {
  const answer = await server.request(call);
  if (answer.status >= 300) {
    const errors = JSON.stringify(answer.at("errors"));
    throw new Error(`${call.method} ${call.path} was answered with ${answer.status}: ${errors}`);
  }
  return answer;
}

function unique(prefix: string): string {
  return `${prefix}-${randomBytes(4).toString("hex")}`;
}

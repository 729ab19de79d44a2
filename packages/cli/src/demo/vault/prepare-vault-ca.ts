import { X509Certificate } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { SpiffeId } from "@signet/spiffe";
import { createCsr, generateKeyPair, privateKeyPem } from "@signet/x509";
import type { ClientCredentials } from "../strangers.ts";
import { type DocumentedAccess, readDocumentedAccess } from "./documented-access.ts";
import { openSigningLog, type SigningLog } from "./signing-log.ts";
import { type VaultObjects, vaultObjects } from "./vault-objects.ts";
import type { VaultServer } from "./vault-server.ts";

/** A PKI in Vault that a CA server may sign with. */
export interface VaultCa {
  /** What makes a CA server sign with it. */
  readonly environment: Readonly<Record<string, string>>;
  /** Subject of the certificate whose key signs workloads, as X.509 names are written: "CN=Signet demo intermediate". */
  readonly issuer: string;
  readonly mount: string;
  /** What Vault itself writes down of each signature; absent with a Vault of somebody else. */
  readonly log?: SigningLog;
  /** Signs what the CA server's policy does not allow it to have signed, as Vault's operator can. */
  issueAsOperator(spiffeId: SpiffeId): Promise<ClientCredentials>;
}

/** Where the CA server finds its files, and how long its tokens for Vault live. */
export type VaultCaOptions = {
  readonly directory: string;
  /** In Vault's notation. */
  readonly tokenTtl: string;
  /** After so long a token can no longer be renewed, and the CA server has to log in again. */
  readonly tokenMaxTtl: string;
};

const demoTokens = { tokenTtl: "20m", tokenMaxTtl: "1h" };

/**
 * Makes a root and an intermediate in PKI engines of their own, the roles and the policy of docs/vault.md, and an AppRole
 * for the CA server; the root token is not among what the CA server gets.
 */
export async function prepareVaultCa(
  server: VaultServer,
  options: Pick<VaultCaOptions, "directory"> & Partial<VaultCaOptions>,
): Promise<VaultCa> {
  const objects = vaultObjects(server);
  const access = readDocumentedAccess();
  const pki = await createPki(objects);
  // The mount is not called pki, as in the document, so that a Vault of somebody else can have one of that name.
  const policy = await objects.writePolicy(access.policy.replaceAll('"pki/', `"${pki.mount}/`));
  await writeRoles(objects, pki.mount, access);
  const log = server.own && (await openSigningLog(objects, { mount: pki.mount, directory: options.directory }));
  const appRole = await createAppRole(objects, policy, { ...demoTokens, ...options });
  const file = async (name: string, content: string): Promise<string> => {
    const path = join(options.directory, name);
    await writeFile(path, content, { mode: 0o600 });
    return path;
  };
  const environment = {
    SIGNET_SIGNING_CA: "vault",
    VAULT_ADDR: server.address,
    ...(server.caPem !== undefined && { VAULT_CACERT: await file("vault-ca.pem", server.caPem) }),
    ...(server.namespace !== undefined && { VAULT_NAMESPACE: server.namespace }),
    SIGNET_VAULT_PKI_MOUNT: pki.mount,
    SIGNET_VAULT_ROLE: "signet",
    SIGNET_VAULT_SERVING_ROLE: "signet-serving",
    SIGNET_VAULT_AUTH: "approle",
    SIGNET_VAULT_AUTH_MOUNT: appRole.mount,
    SIGNET_VAULT_ROLE_ID: appRole.roleId,
    SIGNET_VAULT_SECRET_ID_FILE: await file("vault-secret-id", appRole.secretId),
    SIGNET_VAULT_ROOT_FILE: await file("vault-root.pem", pki.rootPem),
  };
  return {
    ...{ environment, issuer: new X509Certificate(pki.intermediatePem).subject, mount: pki.mount },
    ...(log !== undefined && { log }),
    issueAsOperator: (spiffeId) => signVerbatim(objects, pki, spiffeId),
  };
}

type Pki = { readonly mount: string; readonly rootPem: string; readonly intermediatePem: string };

/** The root signs one intermediate and nothing else; both keys are Vault's and never leave it. */
async function createPki(objects: VaultObjects): Promise<Pki> {
  const root = await objects.createPkiRoot({ commonName: "Signet demo root", ttl: "48h" });
  const mount = await objects.enableSecrets("pki", { max_lease_ttl: "24h" });
  const names = { common_name: "Signet demo intermediate", key_type: "ec", key_bits: 256 };
  const requested = await objects.write(`${mount}/intermediate/generate/internal`, names);
  const signed = await objects.write(`${root.mount}/root/sign-intermediate`, {
    ...{ csr: requested.textAt("data", "csr"), common_name: names.common_name, ttl: "24h" },
    max_path_length: 0,
  });
  const intermediatePem = signed.textAt("data", "certificate");
  const certificate = `${intermediatePem}\n${root.certificatePem}`;
  await objects.write(`${mount}/intermediate/set-signed`, { certificate });
  return { mount, rootPem: root.certificatePem, intermediatePem };
}

async function writeRoles(objects: VaultObjects, mount: string, access: DocumentedAccess): Promise<void> {
  await objects.write(`${mount}/roles/signet`, access.role);
  const { allowed_domains: documented } = access.servingRole;
  // On a laptop the CA server goes by this name too.
  const allowed_domains = [...(Array.isArray(documented) ? documented : []), "localhost"];
  await objects.write(`${mount}/roles/signet-serving`, { ...access.servingRole, allowed_domains });
}

type AppRole = { readonly mount: string; readonly roleId: string; readonly secretId: string };

async function createAppRole(
  objects: VaultObjects,
  policy: string,
  { tokenTtl, tokenMaxTtl }: Omit<VaultCaOptions, "directory">,
): Promise<AppRole> {
  const mount = await objects.enableAuth("approle");
  const role = `auth/${mount}/role/signet`;
  await objects.write(role, {
    ...{ token_policies: [policy], token_no_default_policy: true },
    ...{ token_ttl: tokenTtl, token_max_ttl: tokenMaxTtl },
  });
  const roleId = (await objects.read(`${role}/role-id`)).textAt("data", "role_id");
  const secretId = (await objects.write(`${role}/secret-id`, {})).textAt("data", "secret_id");
  return { mount, roleId, secretId };
}

async function signVerbatim(objects: VaultObjects, pki: Pki, spiffeId: SpiffeId): Promise<ClientCredentials> {
  const key = await generateKeyPair("P-256");
  const signed = await objects.write(`${pki.mount}/sign-verbatim`, {
    ...{ csr: createCsr({ key, spiffeId }), ttl: "10m" },
    ...{ key_usage: ["DigitalSignature"], ext_key_usage: ["ServerAuth", "ClientAuth"] },
  });
  const certificateChainPem = `${signed.textAt("data", "certificate")}\n${pki.intermediatePem}\n`;
  return { certificateChainPem, privateKeyPem: privateKeyPem(key, "pkcs8") };
}

import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { VaultAuth, VaultSettings } from "../vault-settings.ts";
import type { DocumentedAccess } from "./documented-access.ts";
import { operateVault, type VaultOperator } from "./operate-vault.ts";
import { type RunningVaultCa, runVaultCa } from "./running-vault-ca.ts";
import type { VaultUnderTest } from "./vault-under-test.ts";

/** A Vault with a PKI engine, the documented policy and roles, and CAs that use them. */
export interface VaultStage {
  readonly vault: VaultUnderTest;
  readonly operator: VaultOperator;
  readonly mount: string;
  readonly policy: string;
  readonly access: DocumentedAccess;
  /** Imports keys and certificates, and returns the ids of the issuers, in their order. */
  importIssuers(...pems: readonly string[]): Promise<readonly string[]>;
  /** Writes the documented role, changed; without `changes`, as it is documented. */
  writeRole(changes?: Readonly<Record<string, unknown>>): Promise<void>;
  /** A token with the documented policy and no other. */
  createToken(options?: Readonly<Record<string, unknown>>): Promise<string>;
  /** Enables an auth method under a path of its own, which is returned without auth/. */
  enableAuth(type: string): Promise<string>;
  /** Writes a file that is gone when the stage is closed, and returns its path. */
  file(name: string, text: string): Promise<string>;
  /** Opens a CA, by default with a token of the documented policy, and stops it when the stage is closed. */
  open(changes?: Partial<VaultSettings>): Promise<RunningVaultCa>;
  close(): Promise<void>;
}

/** Sets a stage: an empty PKI engine and the documented roles and policy. */
export async function setVaultStage(vault: VaultUnderTest, access: DocumentedAccess): Promise<VaultStage> {
  const operator = operateVault(vault);
  const directory = await mkdtemp(join(tmpdir(), "signet-vault-stage-"));
  const own = vault.seal !== undefined;
  // On a server of someone else's nothing is touched that was there before.
  const suffix = own ? "" : `-${randomBytes(4).toString("hex")}`;
  const [mount, policy] = [`pki${suffix}`, `signet${suffix}`];
  const cleanups: (() => Promise<void>)[] = [() => rm(directory, { recursive: true, force: true })];
  const remove = (path: string): unknown => cleanups.push(() => operator.remove(path));

  async function file(name: string, text: string): Promise<string> {
    const path = join(directory, name);
    await writeFile(path, text, { mode: 0o600 });
    return path;
  }

  if (own) await operator.remove(`sys/mounts/${mount}`);
  await operator.write(`sys/mounts/${mount}`, { type: "pki", config: { max_lease_ttl: "87600h" } });
  remove(`sys/mounts/${mount}`);
  await operator.write(`sys/policies/acl/${policy}`, { policy: access.policy.replaceAll('"pki/', `"${mount}/`) });
  remove(`sys/policies/acl/${policy}`);
  await operator.write(`${mount}/roles/signet`, access.role);
  await operator.write(`${mount}/roles/signet-serving`, access.servingRole);
  const caFile = vault.caPem === undefined ? {} : { caFile: await file("vault-ca.pem", vault.caPem) };

  async function createToken(options: Readonly<Record<string, unknown>> = {}): Promise<string> {
    const body = { policies: [policy], no_default_policy: true, ttl: "1h", ...options };
    return textOf(await operator.write("auth/token/create", body), "client_token");
  }

  return {
    ...{ vault, operator, mount, policy, access, createToken, file },
    async importIssuers(...pems) {
      const answer = await operator.write(`${mount}/issuers/import/bundle`, { pem_bundle: pems.join("\n") });
      return Array.isArray(answer.imported_issuers) ? answer.imported_issuers.map(String) : [];
    },
    async writeRole(changes = {}) {
      await operator.write(`${mount}/roles/signet`, { ...access.role, ...changes });
    },
    async enableAuth(type) {
      const path = `${type}-${randomBytes(4).toString("hex")}`;
      await operator.write(`sys/auth/${path}`, { type });
      remove(`sys/auth/${path}`);
      return path;
    },
    async open(changes = {}) {
      const auth: VaultAuth = changes.auth ?? { kind: "token", token: await createToken() };
      const running = await runVaultCa({
        ...{ address: vault.address, auth, pkiMount: mount, role: "signet", servingRole: "signet-serving" },
        ...{ timeoutMs: 5000, refreshMs: 500, ...caFile, ...changes },
      });
      cleanups.push(running.stop);
      return running;
    },
    async close() {
      for (const cleanup of cleanups.reverse()) await cleanup();
    },
  };
}

/** A text of an answer; throws when it is none. */
export function textOf(answer: Readonly<Record<string, unknown>>, name: string): string {
  const value = answer[name];
  if (typeof value !== "string") throw new Error(`"${name}" in the answer of Vault is no text`);
  return value;
}

import { createVaultTransport } from "../vault-transport.ts";
import type { VaultUnderTest } from "./vault-under-test.ts";

/** Does with a Vault what its operator would do, with the root token and over its API. */
export interface VaultOperator {
  /** Returns "data" or "auth" of the answer, empty where there is none; throws where Vault refuses. */
  write(path: string, body?: Readonly<Record<string, unknown>>): Promise<Readonly<Record<string, unknown>>>;
  read(path: string): Promise<Readonly<Record<string, unknown>>>;
  /** What is not there counts as removed. */
  remove(path: string): Promise<void>;
}

/**
 * Returns an operator of `vault`.
 * @example
 * ```ts
 * import { operateVault, startFakeVault } from "@signet/ca-vault/testing";
 * const vault = await startFakeVault();
 * await operateVault(vault).write("sys/mounts/pki", { type: "pki" });
 * await vault.close();
 * ```
 */
export function operateVault(vault: VaultUnderTest): VaultOperator {
  const transport = createVaultTransport(vault.caPem === undefined ? {} : { ca: vault.caPem }, {
    maxSockets: 4,
    maxResponseBytes: 4_194_304,
  });

  async function call(method: string, path: string, body?: unknown): Promise<Readonly<Record<string, unknown>>> {
    const headers = { "X-Vault-Token": vault.rootToken, "Content-Type": "application/json" };
    const request = { method, url: `${vault.address}/v1/${path}`, headers };
    const whole = body === undefined ? request : { ...request, body: JSON.stringify(body) };
    const response = await transport.send(whole, AbortSignal.timeout(60_000));
    if (response.status >= 400 && !(method === "DELETE" && response.status === 404)) {
      throw new Error(`${method} ${path} was answered with ${response.status}: ${response.body.slice(0, 500)}`);
    }
    const answer: unknown = response.body === "" ? {} : JSON.parse(response.body);
    if (typeof answer !== "object" || answer === null) return {};
    const inner = ("auth" in answer && answer.auth) || ("data" in answer && answer.data) || {};
    return typeof inner === "object" ? { ...inner } : {};
  }

  return {
    write: (path, body = {}) => call("POST", path, body),
    read: (path) => call("GET", path),
    async remove(path) {
      await call("DELETE", path);
    },
  };
}

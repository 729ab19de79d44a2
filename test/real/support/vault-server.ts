import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectVault, startVault, type VaultServer } from "@signet/cli/testing";
import { ensureVault } from "../../../tools/ensure-vault.ts";
import { findProgram } from "./find-program.ts";

export type { VaultCall, VaultOperator, VaultServer } from "@signet/cli/testing";

/** Whether there is a Vault to test against; the reasons are empty where there is, and else the rest of a suite's title. */
export type TestVault = {
  readonly skipped: string;
  /** Why tests that seal, stop or restart Vault, or need two nodes, are skipped. */
  readonly skippedOwn: string;
  /** Throws where `skipped` is not empty. */
  start(options?: { readonly nodes?: 1 | 2 }): Promise<VaultServer>;
};

/**
 * Finds, or builds, Vault for a suite: `describe.skipIf(vault.skipped)(`name ${vault.skipped}`, ...)`.
 *
 * With VAULT_ADDR and VAULT_TOKEN (and VAULT_CACERT, VAULT_NAMESPACE) it is the one there; the token must be root's.
 */
export async function findTestVault(env: NodeJS.ProcessEnv = process.env): Promise<TestVault> {
  if (env.VAULT_ADDR) {
    const skipped = env.VAULT_TOKEN ? "" : "skipped: VAULT_ADDR is set and VAULT_TOKEN is not";
    const skippedOwn = skipped || "skipped: the server of VAULT_ADDR is not ours to seal";
    return { skipped, skippedOwn, start: () => connectVault(env) };
  }
  const found = await findProgram(() => ensureVault(AbortSignal.timeout(3_600_000)));
  return {
    skipped: found.skipped,
    skippedOwn: found.skipped,
    async start({ nodes = 1 } = {}) {
      if (found.skipped) throw new Error(found.skipped);
      const directory = await mkdtemp(join(tmpdir(), "signet-vault-"));
      return await startVault({ binary: found.path, count: nodes, directory }, AbortSignal.timeout(170_000));
    },
  };
}

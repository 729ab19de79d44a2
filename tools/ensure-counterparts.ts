import type { GoProgramSearch } from "./counterparts/build-go-program.ts";
import { ensureEtcd, ensureKubeApiserver } from "./ensure-kube-apiserver.ts";
import { ensureVault } from "./ensure-vault.ts";

/** Builds, before any test begins, what the tests of `test/real` run against and nobody has given them. */
async function ensureCounterparts(env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<readonly GoProgramSearch[]> {
  const found: GoProgramSearch[] = [];
  // One after the other: a build takes the whole machine.
  if (!env.KUBECONFIG) found.push(await ensureEtcd(signal), await ensureKubeApiserver(signal));
  if (!env.VAULT_ADDR) found.push(await ensureVault(signal));
  return found;
}

for (const search of await ensureCounterparts(process.env, AbortSignal.timeout(2 * 3_600_000))) {
  process.stdout.write(`${search.kind === "found" ? search.path : search.reason}\n`);
  // Without Go the tests skip, and say so; Go that cannot build is something to mend.
  if (search.kind === "failed") process.exitCode = 1;
}

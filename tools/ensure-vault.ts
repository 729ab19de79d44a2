import { join } from "node:path";
import { buildGoProgram, type GoProgram, type GoProgramSearch, programPath } from "./counterparts/build-go-program.ts";

/** The version that the tests run against. Later releases do not compile against any `sdk` that is published. */
export const vaultVersion = "1.21.0";

/**
 * Returns Vault, built from source on first use and kept in the cache that clones share, or why there is none.
 *
 * `VAULT_BINARY` names another one, OpenBao's `bao` for instance.
 */
export async function ensureVault(signal: AbortSignal): Promise<GoProgramSearch> {
  return await buildGoProgram(vault, { env: process.env, progress: toStderr }, signal);
}

const vault: GoProgram = {
  name: "vault",
  title: `Vault ${vaultVersion}`,
  version: vaultVersion,
  directory: join(import.meta.dirname, "counterparts/vault"),
  mainPackage: "github.com/hashicorp/vault",
  ldflags: "-s -w",
  duration: "about 15 minutes",
  override: "VAULT_BINARY",
};

function toStderr(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Prints the path, or with `--json` what was found as one line for programs. */
async function main(json: boolean): Promise<number> {
  const found = await ensureVault(AbortSignal.timeout(3_600_000));
  if (json) {
    process.stdout.write(`${JSON.stringify(found)}\n`);
    return found.kind === "found" ? 0 : 1;
  }
  const path = programPath(found, { env: process.env, progress: toStderr });
  if (path !== undefined) process.stdout.write(`${path}\n`);
  return path === undefined ? 1 : 0;
}

if (import.meta.main) process.exitCode = await main(process.argv.includes("--json"));

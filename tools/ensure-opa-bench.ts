import { join } from "node:path";
import { buildGoProgram, type GoProgram, type GoProgramSearch, programPath } from "./counterparts/build-go-program.ts";

/** The version of OPA that decisions are measured beside. */
export const opaVersion = "1.22.4";

/**
 * Returns the program that decides with OPA in its own process, built from source on first use and kept in the cache that
 * clones share, or why there is none. `OPA_BENCH_BINARY` names another one.
 */
export async function ensureOpaBench(signal: AbortSignal): Promise<GoProgramSearch> {
  return await buildGoProgram(opaBench, { env: process.env, progress: toStderr }, signal);
}

const opaBench: GoProgram = {
  name: "opa-bench",
  title: `OPA ${opaVersion}`,
  version: opaVersion,
  directory: join(import.meta.dirname, "counterparts/opa"),
  mainPackage: ".",
  sources: ["main.go"],
  ldflags: "-s -w",
  duration: "about a minute",
  override: "OPA_BENCH_BINARY",
};

function toStderr(line: string): void {
  process.stderr.write(`${line}\n`);
}

if (import.meta.main) {
  const search = await ensureOpaBench(AbortSignal.timeout(1_800_000));
  const path = programPath(search, { env: process.env, progress: toStderr });
  if (path !== undefined) process.stdout.write(`${path}\n`);
  process.exitCode = path === undefined ? 1 : 0;
}

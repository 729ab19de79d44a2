import { join } from "node:path";
import { buildGoProgram, type GoProgram, type GoProgramSearch, programPath } from "./counterparts/build-go-program.ts";

/** The version of go-spiffe that the Workload API is tried with. */
export const goSpiffeVersion = "2.9.0";

/**
 * Returns a client of the Workload API that stands on go-spiffe, built from source on first use and kept in the cache that
 * clones share, or why there is none. `GO_SPIFFE_BINARY` names another one.
 */
export async function ensureGoSpiffe(signal: AbortSignal): Promise<GoProgramSearch> {
  return await buildGoProgram(goSpiffe, { env: process.env, progress: toStderr }, signal);
}

const goSpiffe: GoProgram = {
  name: "go-spiffe-client",
  title: `a client with go-spiffe ${goSpiffeVersion}`,
  version: goSpiffeVersion,
  directory: join(import.meta.dirname, "counterparts/go-spiffe"),
  mainPackage: ".",
  sources: ["main.go"],
  ldflags: "-s -w",
  duration: "about a minute",
  override: "GO_SPIFFE_BINARY",
};

function toStderr(line: string): void {
  process.stderr.write(`${line}\n`);
}

if (import.meta.main) {
  const search = await ensureGoSpiffe(AbortSignal.timeout(1_800_000));
  const path = programPath(search, { env: process.env, progress: toStderr });
  if (path !== undefined) process.stdout.write(`${path}\n`);
  process.exitCode = path === undefined ? 1 : 0;
}

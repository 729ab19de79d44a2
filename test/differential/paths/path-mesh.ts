import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AuthorizationPolicy, PathNormalization } from "@signet/documents";
import { rbacFilters } from "@signet/envoy-config";
import { clusterAt, connectionManager } from "../support/bootstrap.ts";
import { startEchoUpstream } from "../support/echo-upstream.ts";
import { startEnvoyProcess } from "../support/envoy-process.ts";

/** An Envoy with a listener for each level of path normalization, all with the same policies, and an upstream that echoes. */
/** A level that has a name of its own in Envoy's configuration. */
type Level = Exclude<PathNormalization, "DEFAULT">;

export type PathMesh = { socketOf(level: Level): string; stop(): Promise<void> };

/** What istiod writes into connection managers for each level. */
const managers: Readonly<Record<Level, object>> = {
  NONE: { normalizePath: false },
  BASE: { normalizePath: true },
  MERGE_SLASHES: { normalizePath: true, mergeSlashes: true },
  DECODE_AND_MERGE_SLASHES: {
    normalizePath: true,
    mergeSlashes: true,
    pathWithEscapedSlashesAction: "UNESCAPE_AND_FORWARD",
  },
};

export const levels: readonly Level[] = ["NONE", "BASE", "MERGE_SLASHES", "DECODE_AND_MERGE_SLASHES"];

/** Starts them. */
export async function startPathMesh(binary: string, policies: readonly AuthorizationPolicy[]): Promise<PathMesh> {
  const directory = await mkdtemp(join(tmpdir(), "signet-paths-"));
  const socketOf = (level: Level): string => join(directory, `${level}.sock`);
  const upstream = await startEchoUpstream(join(directory, "echo.sock"));
  const { filters } = rbacFilters(policies, { trustDomains: ["cluster.local"] });
  const listeners = levels.map((level) => ({
    name: level,
    address: { pipe: { path: socketOf(level) } },
    filterChains: [{ filters: [connectionManager(filters, managers[level])] }],
  }));
  const clean = async (): Promise<void> => {
    upstream.close();
    await rm(directory, { recursive: true, force: true });
  };
  try {
    const clusters = [clusterAt("echo", join(directory, "echo.sock"))];
    const envoy = await startEnvoyProcess({
      binary,
      directory,
      bootstrap: { staticResources: { clusters, listeners } },
    });
    return {
      socketOf,
      stop: async () => {
        await envoy.stop();
        await clean();
      },
    };
  } catch (error) {
    await clean();
    throw error;
  }
}

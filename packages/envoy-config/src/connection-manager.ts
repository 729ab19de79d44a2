import type { MeshConfig, PathNormalization } from "@signet/documents";
import type { JsonMap } from "./envoy-filter.ts";

/** Where a connection manager stands. */
export type ConnectionManagerOptions = {
  readonly listener: "inbound" | "gateway";
  readonly meshConfig?: Pick<MeshConfig, "pathNormalization" | "numTrustedProxies">;
};

/** Fields of the connection manager by `pathNormalization` of the mesh config. */
const normalizations: Readonly<Record<Exclude<PathNormalization, "DEFAULT">, JsonMap>> = {
  NONE: { normalizePath: false, pathWithEscapedSlashesAction: "KEEP_UNCHANGED" },
  BASE: { normalizePath: true, pathWithEscapedSlashesAction: "KEEP_UNCHANGED" },
  MERGE_SLASHES: { normalizePath: true, mergeSlashes: true, pathWithEscapedSlashesAction: "KEEP_UNCHANGED" },
  DECODE_AND_MERGE_SLASHES: {
    normalizePath: true,
    mergeSlashes: true,
    pathWithEscapedSlashesAction: "UNESCAPE_AND_FORWARD",
  },
};

/**
 * Returns the fields of Envoy's `HttpConnectionManager` that policies lean on, as istiod sets them: how paths are made alike before
 * any rule sees them, and who is believed about the client's address.
 *
 * Filters in a connection manager without them match paths that the workload reads otherwise.
 * @example
 * ```ts
 * import { connectionManagerFields } from "@signet/envoy-config";
 * connectionManagerFields({ listener: "gateway", meshConfig: { numTrustedProxies: 1 } }).xffNumTrustedHops; // 1
 * ```
 */
export function connectionManagerFields({ listener, meshConfig }: ConnectionManagerOptions): JsonMap {
  const { pathNormalization = "DEFAULT", numTrustedProxies = 0 } = meshConfig ?? {};
  const paths = normalizations[pathNormalization === "DEFAULT" ? "BASE" : pathNormalization];
  if (listener === "inbound") return { ...paths, useRemoteAddress: false };
  return { ...paths, useRemoteAddress: true, ...(numTrustedProxies > 0 && { xffNumTrustedHops: numTrustedProxies }) };
}

import type { PodIndex } from "@signet/ca";
import type { Cluster } from "./cluster.ts";

/** What is known of the cluster that a caller says it is in. */
export type ClusterLookup =
  | { readonly kind: "found"; readonly cluster: Cluster }
  /** There is none by this name; `known` is for the log. */
  | { readonly kind: "unknown"; readonly known: readonly string[] }
  /** There may be one: the remote clusters have not been listed yet, or not for too long. */
  | { readonly kind: "unavailable" };

/** The clusters of the mesh by the names that callers use. */
export interface ClusterDirectory {
  /** Own ID, an alias of it or nothing at all is our own cluster; else a remote one by its ID, else by an alias of it. */
  find(clusterId: string | undefined): ClusterLookup;
  /** The pods of a cluster by its ID after aliases. */
  podsOf(clusterId: string): PodIndex | undefined;
}

/** Clusters that come and go. */
export interface RemoteClusterSet {
  get(clusterId: string): Cluster | undefined;
  ids(): readonly string[];
  /** Whether the set is complete, so that a cluster that is not in it is none. */
  complete(): boolean;
}

/** Returns the directory of our own cluster and the remote ones. */
export function createClusterDirectory(options: {
  readonly primary: Cluster;
  /** Other names of clusters, our own among them. */
  readonly aliases: ReadonlyMap<string, string>;
  readonly remote: RemoteClusterSet;
}): ClusterDirectory {
  const { primary, aliases, remote } = options;

  function byId(clusterId: string): Cluster | undefined {
    return clusterId === primary.id ? primary : remote.get(clusterId);
  }

  return {
    find(clusterId = ""): ClusterLookup {
      const target = aliases.get(clusterId);
      if (clusterId === "" || target === primary.id) return { kind: "found", cluster: primary };
      const cluster = byId(clusterId) ?? (target === undefined ? undefined : remote.get(target));
      if (cluster !== undefined) return { kind: "found", cluster };
      if (!remote.complete()) return { kind: "unavailable" };
      return { kind: "unknown", known: [primary.id, ...remote.ids()] };
    },
    podsOf: (clusterId) => byId(clusterId)?.pods,
  };
}

import { type ClusterSource, connectCluster, type KubernetesApi } from "@signet/kubernetes";
import type { Clock, Logger, Random, Task } from "@signet/runtime";
import { createKeyEvents } from "../key-events.ts";
import { logEvent } from "../log-events.ts";
import type { KubernetesSettings } from "../settings/read-callers.ts";
import type { CaServerSettings } from "../settings.ts";
import { useCluster } from "./cluster.ts";
import { type ClusterDirectory, createClusterDirectory } from "./cluster-directory.ts";
import { followRemoteClusters, type RemoteClustersDependencies } from "./remote-clusters.ts";

/** The clusters of the mesh, and what has to run for them. */
export type OpenedClusters = { readonly directory: ClusterDirectory; readonly tasks: readonly Task[] };

/** Returns our own cluster behind `api`, and the remote ones that its Secrets name. Nothing is asked of any yet. */
export function openClusters(
  settings: Pick<CaServerSettings, "namespace" | "trustedNodeAccounts"> & { readonly kubernetes: KubernetesSettings },
  api: KubernetesApi,
  dependencies: { readonly clock: Clock; readonly random: Random; readonly logger: Logger },
): OpenedClusters {
  const { namespace, trustedNodeAccounts, kubernetes } = settings;
  const { clusterId, clusterAliases: aliases, verification, audiences, reviewCacheTtlMs } = kubernetes;
  const followPods = trustedNodeAccounts.size > 0;
  const clusterPolicy = { verification, audiences, reviewCacheTtlMs, followPods };
  const withEvents = { ...dependencies, ...eventsAndConnect(dependencies) };
  const primary = useCluster({ id: clusterId, api }, clusterPolicy, withEvents);
  const secrets = { api, namespace, ownClusterId: clusterId };
  const remote = followRemoteClusters({ ...secrets, policy: clusterPolicy }, withEvents);
  return {
    directory: createClusterDirectory({ primary, aliases, remote }),
    tasks: [...primary.tasks, remote.task],
  };
}

function eventsAndConnect({
  clock,
  logger,
}: {
  readonly clock: Clock;
  readonly logger: Logger;
}): Pick<RemoteClustersDependencies, "connect" | "events"> {
  return {
    connect: (source: ClusterSource) => connectCluster(source, { clock }),
    events: {
      keys: createKeyEvents(logger),
      synced: (event) => logEvent(logger, "kubernetes collection known", event),
      failed: (event) => logEvent(logger, "kubernetes collection unavailable", event),
      connected: (event) => logEvent(logger, "remote cluster connected", event),
      removed: (event) => logEvent(logger, "remote cluster removed", event),
      refused: (event) => logEvent(logger, "remote cluster refused", event),
    },
  };
}

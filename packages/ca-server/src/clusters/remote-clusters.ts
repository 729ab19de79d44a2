import { type ClusterSource, type KubernetesApi, mirror, resources } from "@signet/kubernetes";
import { runGroup, type Task } from "@signet/runtime";
import { type Cluster, type ClusterDependencies, type ClusterPolicy, reportCollection, useCluster } from "./cluster.ts";
import type { RemoteClusterSet } from "./cluster-directory.ts";
import { type RemoteDeclaration, readRemoteSecret, selectDeclarations } from "./remote-declarations.ts";

/** Where the Secrets are that say which remote clusters there are, and how those are used. */
export type RemoteClustersOptions = {
  readonly api: KubernetesApi;
  readonly namespace: string;
  /** Of our own cluster, which no Secret may redefine. */
  readonly ownClusterId: string;
  readonly policy: ClusterPolicy;
};

/** What following remote clusters needs. */
export type RemoteClustersDependencies = ClusterDependencies & {
  readonly connect: (source: ClusterSource) => Promise<KubernetesApi>;
  readonly events: RemoteClusterEvents;
};

/** What happens to remote clusters; `secret` is the name of the Secret that says so. */
export interface RemoteClusterEvents {
  connected(event: { readonly cluster: string; readonly secret: string; readonly server: string }): void;
  removed(event: { readonly cluster: string; readonly secret: string }): void;
  /** What a Secret says of a cluster cannot be used; `kept` when the cluster is used as it was before. */
  refused(event: {
    readonly cluster: string;
    readonly secret: string;
    readonly error: unknown;
    readonly kept: boolean;
  }): void;
}

/** Remote clusters, followed for as long as `task` runs. */
export interface RemoteClusters extends RemoteClusterSet {
  readonly task: Task;
}

/**
 * Follows the Secrets labelled `istio/multiCluster=true`, each of whose keys is the ID of a cluster and each of whose
 * values is a kubeconfig for it.
 *
 * Clusters are connected, connected anew and let go as the Secrets change. One that cannot be used touches no other: it
 * is refused, and where it was used before it goes on as it was. A cluster that two Secrets name is the one of the Secret
 * whose name comes first; our own cluster cannot be named. What is known stays in use while the Secrets cannot be read.
 */
export function followRemoteClusters(
  { api, namespace, ownClusterId, policy }: RemoteClustersOptions,
  dependencies: RemoteClustersDependencies,
): RemoteClusters {
  const query = { namespace, labelSelector: "istio/multiCluster=true" };
  const secrets = mirror(api, { resource: resources.secrets, query, pick: readRemoteSecret }, dependencies);
  const connections = createConnections({ ownClusterId, policy }, dependencies);
  let settledVersion: number | undefined;

  async function settle(signal: AbortSignal): Promise<void> {
    for await (const { synced, version } of secrets.changes.changes(signal)) {
      if (!synced || version === settledVersion) continue;
      await connections.follow(selectDeclarations(secrets.values()), signal);
      settledVersion = version;
    }
  }

  const report = { cluster: ownClusterId, collection: "remote cluster secrets", state: secrets.changes };
  const tasks = [
    secrets.task,
    reportCollection(report, dependencies.events),
    { name: "connect remote clusters", run: settle },
  ];
  return {
    get: (clusterId) => connections.get(clusterId),
    ids: () => connections.ids(),
    // Also not between a change of the Secrets and the clusters' following it.
    complete: () => secrets.synced() && secrets.changes.current()?.version === settledVersion,
    task: { name: "remote clusters", run: (signal) => runGroup(tasks, signal).finally(() => connections.closeAll()) },
  };
}

type Connection = RemoteDeclaration & { readonly cluster: Cluster; close(): Promise<void> };

interface Connections {
  get(clusterId: string): Cluster | undefined;
  ids(): readonly string[];
  /** Makes the connections those that are declared. */
  follow(declared: ReadonlyMap<string, RemoteDeclaration>, signal: AbortSignal): Promise<void>;
  closeAll(): Promise<void>;
}

function createConnections(
  { ownClusterId, policy }: Pick<RemoteClustersOptions, "ownClusterId" | "policy">,
  dependencies: RemoteClustersDependencies,
): Connections {
  const { events, connect } = dependencies;
  const open = new Map<string, Connection>();
  /** The hash of what was refused last, so that each is tried and told once. */
  const refused = new Map<string, string>();

  function refuse(id: string, { secret, hash }: RemoteDeclaration, error: unknown): void {
    refused.set(id, hash);
    events.refused({ cluster: id, secret, error, kept: open.has(id) });
  }

  async function replace(id: string, declaration: RemoteDeclaration, signal: AbortSignal): Promise<void> {
    if (id === ownClusterId) return refuse(id, declaration, new Error("it is the ID of our own cluster"));
    let api: KubernetesApi;
    try {
      api = await connect({ kind: "kubeconfig-text", text: declaration.kubeconfig });
    } catch (error) {
      return refuse(id, declaration, error);
    }
    const cluster = useCluster({ id, api }, policy, dependencies);
    const before = open.get(id);
    open.set(id, { ...declaration, cluster, close: runCluster({ cluster, api }, dependencies, signal) });
    events.connected({ cluster: id, secret: declaration.secret, server: api.server });
    await before?.close();
  }

  async function drop(id: string, { secret, close }: Connection): Promise<void> {
    open.delete(id);
    events.removed({ cluster: id, secret });
    await close();
  }

  return {
    get: (clusterId) => open.get(clusterId)?.cluster,
    ids: () => [...open.keys()],
    async follow(declared, signal): Promise<void> {
      for (const id of refused.keys()) if (!declared.has(id)) refused.delete(id);
      for (const [id, connection] of [...open]) if (!declared.has(id)) await drop(id, connection);
      for (const [id, declaration] of declared) {
        if (refused.get(id) === declaration.hash) continue;
        refused.delete(id);
        if (open.get(id)?.hash !== declaration.hash) await replace(id, declaration, signal);
      }
    },
    async closeAll(): Promise<void> {
      const all = [...open.values()];
      open.clear();
      await Promise.all(all.map(({ close }) => close()));
    },
  };
}

/** Runs a cluster's tasks and returns what ends them and the cluster's connections. */
function runCluster(
  { cluster, api }: { readonly cluster: Cluster; readonly api: KubernetesApi },
  { events }: RemoteClustersDependencies,
  signal: AbortSignal,
): () => Promise<void> {
  const stop = new AbortController();
  const ended = runGroup(cluster.tasks, AbortSignal.any([signal, stop.signal])).catch((error: unknown) =>
    // One remote cluster's end is not ours.
    events.failed({ cluster: cluster.id, collection: "tasks", error }),
  );
  return async () => {
    stop.abort();
    await ended;
    api.close();
  };
}

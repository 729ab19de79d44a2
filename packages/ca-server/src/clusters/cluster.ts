import type { PodIndex } from "@signet/ca";
import type { JwksEvents } from "@signet/jwt";
import type { KubernetesApi, MirrorState } from "@signet/kubernetes";
import type { Clock, Random, Source, Task } from "@signet/runtime";
import { createLocalTokenVerifier } from "./local-token-verifier.ts";
import { followPods } from "./pod-index.ts";
import type { TokenChecker } from "./token-checker.ts";
import { createTokenReviewer } from "./token-reviewer.ts";

/** A Kubernetes cluster whose service accounts may ask for certificates. */
export type Cluster = {
  readonly id: string;
  readonly tokens: TokenChecker;
  /** Its pods, followed only where somebody may impersonate. */
  readonly pods?: PodIndex;
  /** What has to run while the cluster is used. */
  readonly tasks: readonly Task[];
};

/** How the clusters of a mesh are used, one like the other. */
export type ClusterPolicy = {
  readonly verification: "review" | "local";
  readonly audiences: readonly string[];
  readonly reviewCacheTtlMs: number;
  /** Whether pods are followed, which costs memory and watches. */
  readonly followPods: boolean;
};

/** What following a collection of a cluster tells. */
export interface CollectionEvents {
  /** A collection is known again after it was not, or for the first time. */
  synced(event: { readonly cluster: string; readonly collection: string }): void;
  /** It could not be read; what is known of it ages. */
  failed(event: { readonly cluster: string; readonly collection: string; readonly error: unknown }): void;
}

/** What clusters need. */
export type ClusterDependencies = {
  readonly clock: Clock;
  readonly random: Random;
  readonly events: CollectionEvents & { readonly keys: JwksEvents };
};

/** Returns the cluster behind `api`; nothing is asked of it before the tasks run or a token comes. */
export function useCluster(
  { id, api }: { readonly id: string; readonly api: KubernetesApi },
  policy: ClusterPolicy,
  dependencies: ClusterDependencies,
): Cluster {
  const tasks: Task[] = [];
  const tokens = createTokens(api, policy, dependencies);
  if ("task" in tokens) tasks.push(tokens.task);
  if (!policy.followPods) return { id, tokens, tasks };
  const pods = followPods(api, dependencies);
  const { events } = dependencies;
  tasks.push(pods.task, reportCollection({ cluster: id, collection: "pods", state: pods.state }, events));
  return { id, tokens, pods, tasks };
}

function createTokens(
  api: KubernetesApi,
  { verification, audiences, reviewCacheTtlMs }: ClusterPolicy,
  { clock, random, events }: ClusterDependencies,
): TokenChecker | (TokenChecker & { readonly task: Task }) {
  switch (verification) {
    case "review":
      return createTokenReviewer({ api, audiences, cacheTtlMs: reviewCacheTtlMs }, clock);
    case "local":
      return createLocalTokenVerifier({ api, audiences }, { clock, random, events: events.keys });
  }
}

/** Tells when a mirrored collection becomes known and when it cannot be read; the same failure again is no news. */
export function reportCollection(
  about: { readonly cluster: string; readonly collection: string; readonly state: Source<MirrorState> },
  events: CollectionEvents,
): Task {
  const { cluster, collection, state } = about;
  return {
    name: `report ${collection} of cluster ${cluster}`,
    async run(signal): Promise<void> {
      let wasSynced = false;
      let lastProblem: string | undefined;
      for await (const { synced, error } of state.changes(signal)) {
        if (synced && !wasSynced) events.synced({ cluster, collection });
        if (error !== undefined && error.message !== lastProblem) events.failed({ cluster, collection, error });
        wasSynced = synced;
        lastProblem = error?.message;
      }
    },
  };
}

import type { IndexedPod, PodIndex } from "@signet/ca";
import { type KubernetesApi, type MirrorState, mirror, type Pod, resources } from "@signet/kubernetes";
import type { Clock, Random, Source, Task } from "@signet/runtime";

/** The pods of one cluster, followed for as long as `task` runs. */
export interface FollowedPods extends PodIndex {
  readonly task: Task;
  readonly state: Source<MirrorState>;
}

/** Pods that have run to their end vouch for nobody. Istiod leaves out the failed ones only. */
const fieldSelector = "status.phase!=Failed,status.phase!=Succeeded";

/** Returns an index over the pods of a cluster that have not ended: six fields of each, by name and by node. */
export function followPods(
  api: KubernetesApi,
  dependencies: { readonly clock: Clock; readonly random: Random },
): FollowedPods {
  const byNode = new Map<string, Map<string, IndexedPod>>();
  const pods = mirror(api, { resource: resources.pods, query: { fieldSelector }, pick: toIndexedPod }, dependencies);

  // An object may change place (a pod that gets its node), and its name may come again for another one.
  const placeOf = new Map<string, string>();
  pods.onChange(({ kind, value }) => {
    const name = `${value.namespace}/${value.name}`;
    const before = placeOf.get(name);
    if (before !== undefined) removeFrom(byNode, before, name);
    placeOf.delete(name);
    if (kind === "deleted" || value.nodeName === "") return;
    const place = placeKey(value.nodeName, value.namespace, value.serviceAccount);
    placeOf.set(name, place);
    const here = byNode.get(place) ?? new Map<string, IndexedPod>();
    byNode.set(place, here.set(name, value));
  });

  return {
    task: pods.task,
    state: pods.changes,
    ready: () => pods.synced(),
    pod: (namespace, name) => pods.get({ namespace, name }),
    podsOn: (nodeName, namespace, serviceAccount) => [
      ...(byNode.get(placeKey(nodeName, namespace, serviceAccount))?.values() ?? []),
    ],
  };
}

function removeFrom(byNode: Map<string, Map<string, IndexedPod>>, place: string, name: string): void {
  const here = byNode.get(place);
  here?.delete(name);
  if (here?.size === 0) byNode.delete(place);
}

/** No name of Kubernetes holds a slash. */
function placeKey(nodeName: string, namespace: string, serviceAccount: string): string {
  return `${nodeName}/${namespace}/${serviceAccount}`;
}

function toIndexedPod({ metadata, spec, status }: Pod): IndexedPod {
  return {
    namespace: metadata.namespace ?? "",
    name: metadata.name,
    uid: metadata.uid ?? "",
    serviceAccount: spec?.serviceAccountName ?? "",
    nodeName: spec?.nodeName ?? "",
    phase: readPhase(status?.phase),
  };
}

function readPhase(phase: string | undefined): IndexedPod["phase"] {
  switch (phase) {
    case "Pending":
    case "Running":
    case "Succeeded":
    case "Failed":
      return phase;
    default:
      return "Unknown";
  }
}

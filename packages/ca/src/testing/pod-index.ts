import type { IndexedPod, PodIndex } from "../impersonation.ts";

/**
 * Returns an index of these pods, which has all of them from the beginning.
 * @example
 * ```ts
 * import { podIndex } from "@signet/ca/testing";
 * podIndex([]).ready(); // true
 * ```
 */
export function podIndex(pods: readonly IndexedPod[], ready = true): PodIndex {
  return {
    ready: () => ready,
    pod: (namespace, name) => pods.find((pod) => pod.namespace === namespace && pod.name === name),
    podsOn: (nodeName, namespace, serviceAccount) =>
      pods.filter(
        (pod) => pod.nodeName === nodeName && pod.namespace === namespace && pod.serviceAccount === serviceAccount,
      ),
  };
}

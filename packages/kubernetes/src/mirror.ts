import { type Clock, createSource, type Random, type Source, type Task } from "@signet/runtime";
import { CollectionFollower, type MirrorState } from "./collection-follower.ts";
import type { KubernetesApi, ListQuery } from "./kubernetes-api.ts";
import { createMirrorContents, type MirrorChange } from "./mirror-contents.ts";
import type { KubernetesObject, ObjectName, Resource } from "./resource.ts";

/** A local copy of a collection that says when it does not know. `V` is what is kept of each object. */
export interface Mirror<V> {
  /** Run it for as long as the mirror is used. */
  readonly task: Task;
  /**
   * Whether the copy can be believed: false until the first whole list, when the server has not been heard of for
   * `staleAfterMs`, until the next whole list, and when the task has ended.
   */
  synced(): boolean;
  get(name: ObjectName): V | undefined;
  values(): Iterable<V>;
  /** What the mirror is at: published with each change of its content, of `synced` and of `error`. */
  readonly changes: Source<MirrorState>;
  /**
   * Calls `listener` after each change of one object, when the change is in the copy already; objects that are there before
   * are not told. It must not throw: what it throws ends the task. Returns the way to stop that.
   */
  onChange(listener: (change: MirrorChange<V>) => void): () => void;
}

/** What a mirror copies, and how. */
export type MirrorOptions<T extends KubernetesObject, V> = {
  readonly resource: Resource<T>;
  readonly query: ListQuery;
  /** What to keep of an object; nothing else of it is held. Pure. */
  readonly pick: (object: T) => V;
  /** Default 60,000; more than a watch lasts, see `ClusterLimits`. */
  readonly staleAfterMs?: number;
};

const defaultStaleAfterMs = 60_000;

/**
 * Copies a collection and keeps the copy true: lists it, follows it with watches, each from where the last one ended, and lists
 * again when the server has forgotten that point (410), has gone back behind it (a restored backup), or has not been heard of for
 * too long. A list takes the place of the old copy at once, so that what was deleted meanwhile is gone. Between attempts it waits
 * up to 10 seconds (full jitter), or as long as the server asks, up to a minute.
 * @example
 * ```ts
 * import { type KubernetesApi, mirror, resources } from "@signet/kubernetes";
 * import { runGroup, systemClock } from "@signet/runtime";
 * async function followNodes(api: KubernetesApi, signal: AbortSignal): Promise<void> {
 *   const pods = mirror(
 *     api,
 *     { resource: resources.pods, query: {}, pick: ({ spec }) => spec?.nodeName },
 *     { clock: systemClock, random: Math.random },
 *   );
 *   pods.onChange(({ kind, name }) => console.log(kind, name));
 *   await runGroup([pods.task], signal);
 * }
 * ```
 */
export function mirror<T extends KubernetesObject, V>(
  api: KubernetesApi,
  options: MirrorOptions<T, V>,
  dependencies: { readonly clock: Clock; readonly random: Random },
): Mirror<V> {
  const { resource, query, pick, staleAfterMs = defaultStaleAfterMs } = options;
  const contents = createMirrorContents(pick);
  const states = createSource<MirrorState>({ version: 0, synced: false });
  const listeners = new Set<(change: MirrorChange<V>) => void>();
  const follower = new CollectionFollower({ api, resource, query, staleAfterMs }, dependencies, {
    begin: contents.begin,
    apply: contents.apply,
    publish: (state) => states.publish(state),
    tell(change) {
      for (const listener of [...listeners]) listener(change);
    },
  });
  return {
    task: { name: `mirror of ${resource.plural}`, run: (signal) => follower.run(signal) },
    synced: () => states.current()?.synced === true,
    get: contents.get,
    values: contents.values,
    changes: states,
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

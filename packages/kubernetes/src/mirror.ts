import type { Clock, Random, Source, Task } from "@signet/runtime";
import { KubernetesError } from "./errors.ts";
import type { KubernetesApi, ListQuery } from "./kubernetes-api.ts";
import type { KubernetesObject, ObjectName, Resource } from "./resource.ts";

/** A local copy of a collection that says when it does not know. `V` is what is kept of each object. */
export interface Mirror<V> {
  /** Run it for as long as the mirror is used. */
  readonly task: Task;
  /** Whether the copy can be believed: false until the first whole list, and after `staleAfterMs` without a living watch. */
  synced(): boolean;
  get(name: ObjectName): V | undefined;
  values(): Iterable<V>;
  /** What the mirror is at: published with each change of its content, of `synced`, and with each failure. */
  readonly changes: Source<MirrorState>;
  /** Calls `listener` after each change of one object; what it throws ends the task. Returns the way to stop that. */
  onChange(listener: (change: MirrorChange<V>) => void): () => void;
}

/** What a mirror is at. */
export type MirrorState = {
  /** Grows with every change of the content. */
  readonly version: number;
  readonly synced: boolean;
  /** What last went wrong, until all is well again. */
  readonly error?: KubernetesError;
};

/** What happened to one object; `value` is what is kept of it, for "deleted" the last that was known. */
export type MirrorChange<V> = {
  readonly kind: "added" | "modified" | "deleted";
  readonly name: ObjectName;
  readonly value: V;
};

/** What a mirror copies, and how. */
export type MirrorOptions<T extends KubernetesObject, V> = {
  readonly resource: Resource<T>;
  readonly query: ListQuery;
  /** What to keep of an object; nothing else of it is held. */
  readonly pick: (object: T) => V;
  /** Default 60,000. */
  readonly staleAfterMs?: number;
};

/** Copies a collection and keeps the copy true. */
export function mirror<T extends KubernetesObject, V>(
  _api: KubernetesApi,
  _options: MirrorOptions<T, V>,
  _dependencies: { readonly clock: Clock; readonly random: Random },
): Mirror<V> {
  throw new KubernetesError("unavailable", "not built yet");
}

import type { KubernetesObject, ObjectName } from "./resource.ts";

/** What happened to one object; `value` is what is kept of it, for "deleted" the last that was known. */
export type MirrorChange<V> = {
  readonly kind: "added" | "modified" | "deleted";
  readonly name: ObjectName;
  readonly value: V;
};

/** What a mirror holds: of each object its name, its version and what was picked of it. */
export interface MirrorContents<T extends KubernetesObject, V> {
  get(name: ObjectName): V | undefined;
  values(): Iterable<V>;
  /** A new whole, filled page by page beside the old one; `adopt` puts it in the old one's place at once. */
  begin(): { add(objects: readonly T[]): void; adopt(): readonly MirrorChange<V>[] };
  /** What a watch told of one object; nothing when that was known. */
  apply(kind: "added" | "modified" | "deleted", object: T): readonly MirrorChange<V>[];
}

type Entry<V> = {
  readonly name: ObjectName;
  readonly uid: string | undefined;
  readonly resourceVersion: string | undefined;
  readonly value: V;
};

/** Empty contents that keep `pick(object)` of each object. */
export function createMirrorContents<T extends KubernetesObject, V>(pick: (object: T) => V): MirrorContents<T, V> {
  let entries = new Map<string, Entry<V>>();

  function entryOf({ metadata }: T, value: V): Entry<V> {
    const { namespace, name, uid, resourceVersion } = metadata;
    return { name: namespace === undefined ? { name } : { namespace, name }, uid, resourceVersion, value };
  }

  /** The entry there is, when it is of the same object at the same version, so that whoever compares sees no change. */
  function entryFor(object: T): Entry<V> {
    const { uid, resourceVersion } = object.metadata;
    const known = entries.get(keyOf(object.metadata));
    const isKnown = known !== undefined && known.uid === uid && known.resourceVersion === resourceVersion;
    return isKnown && resourceVersion !== undefined ? known : entryOf(object, pick(object));
  }

  return {
    get: (name) => entries.get(keyOf(name))?.value,
    *values() {
      for (const { value } of entries.values()) yield value;
    },
    begin() {
      const next = new Map<string, Entry<V>>();
      return {
        add(objects) {
          for (const object of objects) next.set(keyOf(object.metadata), entryFor(object));
        },
        adopt() {
          const before = entries;
          entries = next;
          return differences(before, next);
        },
      };
    },
    apply(kind, object) {
      const key = keyOf(object.metadata);
      const known = entries.get(key);
      if (kind === "deleted") {
        entries.delete(key);
        return known === undefined ? [] : [changeOf("deleted", known)];
      }
      const entry = entryFor(object);
      entries.set(key, entry);
      return changesBetween(known, entry);
    },
  };
}

function differences<V>(
  before: ReadonlyMap<string, Entry<V>>,
  after: ReadonlyMap<string, Entry<V>>,
): readonly MirrorChange<V>[] {
  const gone = [...before].filter(([key]) => !after.has(key)).map(([, entry]) => changeOf("deleted", entry));
  return [...gone, ...[...after].flatMap(([key, entry]) => changesBetween(before.get(key), entry))];
}

function changesBetween<V>(before: Entry<V> | undefined, after: Entry<V>): readonly MirrorChange<V>[] {
  if (before === after) return [];
  if (before === undefined) return [changeOf("added", after)];
  // Another object under the same name: the first was deleted while nobody looked.
  if (before.uid !== after.uid) return [changeOf("deleted", before), changeOf("added", after)];
  return [changeOf("modified", after)];
}

function changeOf<V>(kind: MirrorChange<V>["kind"], { name, value }: Entry<V>): MirrorChange<V> {
  return { kind, name, value };
}

function keyOf({ namespace = "", name }: ObjectName): string {
  return `${namespace}/${name}`;
}

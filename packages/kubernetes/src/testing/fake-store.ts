import { isRecord } from "../shape.ts";

/** An object as it is stored. */
export type StoredObject = { [field: string]: unknown; metadata: StoredMeta };

/** Its metadata. */
export type StoredMeta = {
  [field: string]: unknown;
  name: string;
  namespace?: string | undefined;
  uid: string;
  resourceVersion: string;
};

/** One change of one object. */
export type StoredChange = {
  readonly revision: number;
  readonly plural: string;
  readonly before: StoredObject | undefined;
  /** Undefined when it was deleted; its last state, with the revision of the deletion, is `last`. */
  readonly after: StoredObject | undefined;
  readonly last: StoredObject;
};

const keptChanges = 10_000;

/** Objects by kind and name, with one revision that counts all changes, and the changes themselves. */
export class FakeStore {
  readonly #collections = new Map<string, Map<string, StoredObject>>();
  readonly #listeners = new Set<() => void>();
  /** By kind, the revision of the last change there was, and of the last that is forgotten. */
  readonly #lastChange = new Map<string, number>();
  readonly #lastForgotten = new Map<string, number>();
  #changes: StoredChange[] = [];
  #revision = 10_000;
  #forgotten = 0;

  get revision(): number {
    return this.#revision;
  }

  /** Changes up to this revision are not known any more. */
  get forgotten(): number {
    return this.#forgotten;
  }

  get(plural: string, key: string): StoredObject | undefined {
    return this.#collection(plural).get(key);
  }

  /** By namespace and name. */
  all(plural: string): readonly StoredObject[] {
    return [...this.#collection(plural)].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object);
  }

  /** Stores the object under a new revision and returns it as stored. */
  put(plural: string, object: StoredObject): StoredObject {
    const key = keyOf(object.metadata);
    const before = this.get(plural, key);
    const after = this.#stamped(object);
    this.#collection(plural).set(key, after);
    this.#note({ revision: this.#revision, plural, before, after, last: after });
    return after;
  }

  delete(plural: string, key: string): StoredObject | undefined {
    const before = this.get(plural, key);
    if (before === undefined) return undefined;
    this.#collection(plural).delete(key);
    const last = this.#stamped(before);
    this.#note({ revision: this.#revision, plural, before, after: undefined, last });
    return last;
  }

  /** Changes of a kind after a revision. */
  changesSince(plural: string, revision: number): readonly StoredChange[] {
    const first = this.#changes.findIndex((change) => change.revision > revision);
    return first === -1 ? [] : this.#changes.slice(first).filter((change) => change.plural === plural);
  }

  /** The revision of the last change of a kind. */
  lastChangeOf(plural: string): number {
    return this.#lastChange.get(plural) ?? 0;
  }

  /** Whether changes of a kind after that revision are forgotten. */
  hasForgotten(plural: string, revision: number): boolean {
    return (this.#lastForgotten.get(plural) ?? 0) > revision;
  }

  forgetChanges(): void {
    while (this.#changes.length > 0) this.#forgetFirst();
    this.#forgotten = this.#revision;
  }

  /** Goes back to an older revision number, as a restored backup does; what is stored stays as it is. */
  turnBack(revisions: number): void {
    this.#revision -= revisions;
    this.#changes = [];
    this.#forgotten = 0;
    this.#lastForgotten.clear();
    for (const plural of this.#lastChange.keys()) this.#lastChange.set(plural, this.#revision);
  }

  /** Calls `listener` after each change; returns the way to stop that. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #stamped(object: StoredObject): StoredObject {
    this.#revision += 1;
    const copy = structuredClone(object);
    copy.metadata.resourceVersion = String(this.#revision);
    return copy;
  }

  #note(change: StoredChange): void {
    this.#changes.push(change);
    this.#lastChange.set(change.plural, change.revision);
    if (this.#changes.length > keptChanges) this.#forgetFirst();
    for (const listener of [...this.#listeners]) listener();
  }

  #forgetFirst(): void {
    const first = this.#changes.shift();
    if (first === undefined) return;
    this.#forgotten = first.revision;
    this.#lastForgotten.set(first.plural, first.revision);
  }

  #collection(plural: string): Map<string, StoredObject> {
    const collection = this.#collections.get(plural) ?? new Map<string, StoredObject>();
    this.#collections.set(plural, collection);
    return collection;
  }
}

/** Under what an object is stored. */
export function keyOf({
  namespace = "",
  name,
}: {
  readonly namespace?: string | undefined;
  readonly name: string;
}): string {
  return `${namespace}/${name}`;
}

/** A field that is an object, or an empty one. */
export function recordAt(object: Readonly<Record<string, unknown>>, field: string): Record<string, unknown> {
  const content = object[field];
  return isRecord(content) ? content : {};
}

/** A field that is text, or undefined. */
export function textAt(object: Readonly<Record<string, unknown>>, field: string): string | undefined {
  const content = object[field];
  return typeof content === "string" ? content : undefined;
}

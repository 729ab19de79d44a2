import { randomBytes, randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { Clock } from "@signet/runtime";
import { isRecord } from "../shape.ts";
import type { FakeKind } from "./fake-kinds.ts";
import { badRequest, conflict, FakeRefusal, invalidField, noSuchPath, notFound } from "./fake-refusal.ts";
import { type FakeStore, keyOf, recordAt, type StoredMeta, type StoredObject, textAt } from "./fake-store.ts";

/** One object of one kind, as a path names it. */
export type FakeTarget = { readonly kind: FakeKind; readonly namespace?: string | undefined; readonly name: string };

/** What the API server does to objects. */
export class FakeObjects {
  readonly #store: FakeStore;
  readonly #clock: Clock;

  constructor(store: FakeStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  read(target: FakeTarget): StoredObject {
    const object = this.#store.get(target.kind.plural, keyOf(target));
    if (object === undefined) throw notFound(target.kind.plural, target.name);
    return object;
  }

  create(collection: Omit<FakeTarget, "name">, body: unknown, user: string): StoredObject {
    const { kind, namespace } = collection;
    const object = this.#parse(kind, body, namespace);
    const { metadata } = object;
    if (textAt(metadata, "resourceVersion") !== undefined) {
      throw new FakeRefusal(500, "resourceVersion should not be set on objects to be created");
    }
    metadata.name ||= nameFrom(textAt(metadata, "generateName") ?? "");
    checkName(kind, metadata.name);
    this.#checkNamespace(kind, metadata);
    if (this.#store.get(kind.plural, keyOf(metadata)) !== undefined) {
      const message = `${kind.plural} "${metadata.name}" already exists`;
      const details = { name: metadata.name, kind: kind.plural };
      throw new FakeRefusal(409, message, { reason: "AlreadyExists", details });
    }
    kind.created?.(object, user);
    return this.#store.put(kind.plural, this.stamp(object));
  }

  replace(target: FakeTarget & { readonly subresource?: string | undefined }, body: unknown): StoredObject {
    const { kind, name, namespace, subresource } = target;
    const take = subresource === undefined ? undefined : kind.subresources?.[subresource];
    if (subresource !== undefined && take === undefined) throw noSuchPath();
    const object = this.#parse(kind, body, namespace);
    if (object.metadata.name !== name) {
      throw badRequest(`the name of the object (${object.metadata.name}) does not match the name on the URL (${name})`);
    }
    const before = this.#store.get(kind.plural, keyOf(target));
    if (before === undefined) {
      if (kind.strictUpdates === true) return this.create(target, body, "");
      throw notFound(kind.plural, name);
    }
    this.#checkVersion(kind, object, before);
    if (take !== undefined) return this.#save(kind, take(object, before), before);
    kind.updated?.(object, before);
    return this.#save(kind, object, before);
  }

  patch(target: FakeTarget, patch: unknown): StoredObject {
    const before = this.read(target);
    const patched = merge(structuredClone(before), patch);
    const object = this.#parse(target.kind, patched, target.namespace);
    if (textAt(recordAt(isRecord(patch) ? patch : {}, "metadata"), "resourceVersion") !== undefined) {
      this.#checkVersion(target.kind, object, before);
    }
    target.kind.updated?.(object, before);
    return this.#save(target.kind, object, before);
  }

  /** What the answer to a DELETE holds. */
  delete(target: FakeTarget, graceSeconds: number | undefined): unknown {
    const { kind, name } = target;
    const before = this.read(target);
    const object = structuredClone(before);
    if (kind.lingers?.(object, graceSeconds) === true) {
      if (before.metadata.deletionTimestamp !== undefined) return before;
      const at = this.#clock.now().getTime() + (kind.namespaced ? (graceSeconds ?? 30) * 1000 : 0);
      object.metadata.deletionTimestamp = timestamp(new Date(at));
      return this.#store.put(kind.plural, object);
    }
    this.#store.delete(kind.plural, keyOf(target));
    const details = { name, kind: kind.plural, uid: before.metadata.uid };
    return { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", details };
  }

  /** With what the server adds to every object: uid and creation, unless they are there. */
  stamp(object: StoredObject): StoredObject {
    const { metadata } = object;
    metadata.uid ||= randomUUID();
    metadata.creationTimestamp ??= timestamp(this.#clock.now());
    return object;
  }

  /** With what no update may change. */
  #save(kind: FakeKind, object: StoredObject, before: StoredObject): StoredObject {
    const { uid, resourceVersion, creationTimestamp, deletionTimestamp } = before.metadata;
    object.metadata = { ...object.metadata, uid, resourceVersion };
    object.metadata.creationTimestamp = creationTimestamp;
    if (deletionTimestamp !== undefined) object.metadata.deletionTimestamp = deletionTimestamp;
    // What changes nothing is no change: nobody is told.
    return isDeepStrictEqual(object, before) ? before : this.#store.put(kind.plural, object);
  }

  #parse(kind: FakeKind, body: unknown, namespace: string | undefined): StoredObject {
    const sent = structuredClone(body);
    if (!isRecord(sent) || !isRecord(sent.metadata)) throw badRequest("the body is no object");
    if ((sent.kind ?? kind.kind) !== kind.kind || (sent.apiVersion ?? kind.apiVersion) !== kind.apiVersion) {
      throw badRequest(`${sent.kind} in version "${sent.apiVersion}" cannot be handled as a ${kind.kind}`);
    }
    const metadata = { name: "", uid: "", ...sent.metadata } as StoredMeta;
    if (namespace !== undefined && (metadata.namespace ?? namespace) !== namespace) {
      throw badRequest("the namespace of the provided object does not match the namespace sent on the request");
    }
    const placed = namespace === undefined ? metadata : { ...metadata, namespace };
    return { ...sent, apiVersion: kind.apiVersion, kind: kind.kind, metadata: placed };
  }

  #checkNamespace(kind: FakeKind, { namespace, name }: StoredMeta): void {
    if (!kind.namespaced || namespace === undefined) return;
    const home = this.#store.get("namespaces", keyOf({ name: namespace }));
    if (home === undefined) throw notFound("namespaces", namespace);
    if (recordAt(home, "status").phase !== "Terminating") return;
    const message = `${kind.plural} "${name}" is forbidden: unable to create new content in namespace ${namespace} because it is being terminated`;
    throw new FakeRefusal(403, message, { reason: "Forbidden", details: { name, kind: kind.plural } });
  }

  #checkVersion(kind: FakeKind, object: StoredObject, before: StoredObject): void {
    const { resourceVersion, uid, name } = object.metadata;
    if (kind.strictUpdates === true && !resourceVersion) {
      const problem = "metadata.resourceVersion: Invalid value: 0: must be specified for an update";
      throw invalidField(kind.plural, name, problem);
    }
    if (resourceVersion && resourceVersion !== before.metadata.resourceVersion) throw conflict(kind.plural, name);
    if (uid && uid !== before.metadata.uid) throw conflict(kind.plural, name);
  }
}

function checkName(kind: FakeKind, name: string): void {
  if (name.length <= 253 && /^[a-z0-9]([-a-z0-9.:]*[a-z0-9])?$/.test(name)) return;
  const problem = `metadata.name: Invalid value: ${JSON.stringify(name)}: a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.'`;
  throw invalidField(kind.kind, name, problem);
}

function nameFrom(prefix: string): string {
  return prefix === "" ? "" : `${prefix}${randomBytes(5).toString("hex").slice(0, 5)}`;
}

/** A time as in metadata: whole seconds. */
export function timestamp(date: Date): string {
  return date.toISOString().replace(/\.\d{3}Z$/, "Z");
}

/** RFC 7386. */
function merge(target: unknown, patch: unknown): unknown {
  if (!isRecord(patch)) return patch;
  const result: Record<string, unknown> = isRecord(target) ? { ...target } : {};
  for (const [field, change] of Object.entries(patch)) {
    if (change === null) delete result[field];
    else result[field] = merge(result[field], change);
  }
  return result;
}

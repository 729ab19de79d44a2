import type { Clock } from "@signet/runtime";
import { KubernetesError } from "./errors.ts";
import type { JsonCalls } from "./json-calls.ts";
import type { ListQuery, WatchEvent } from "./kubernetes-api.ts";
import { selectorsOf } from "./list-objects.ts";
import { collectionPath, withQuery } from "./object-path.ts";
import type { KubernetesObject, Resource } from "./resource.ts";
import { isRecord } from "./shape.ts";
import { splitLines } from "./split-lines.ts";
import { statusError } from "./status-error.ts";

/** How long a watch may outlive the time the server was asked to keep it, before it is cut. */
const graceSeconds = 5;

/** What is watched, and what bounds the watch. */
export type WatchRequest<T extends KubernetesObject> = {
  readonly resource: Resource<T>;
  readonly query: ListQuery & { readonly resourceVersion: string };
  readonly watchSeconds: number;
  readonly maxEventBytes: number;
  readonly clock: Clock;
};

/** One watch, from its opening until the server ends it or something goes wrong. */
export async function* watchObjects<T extends KubernetesObject>(
  calls: JsonCalls,
  request: WatchRequest<T>,
  signal: AbortSignal,
): AsyncGenerator<WatchEvent<T>, void, undefined> {
  const { resource, query, watchSeconds, maxEventBytes } = request;
  const stop = new AbortController();
  const abort = (): void => stop.abort(signal.reason);
  signal.throwIfAborted();
  signal.addEventListener("abort", abort, { once: true });
  try {
    const path = withQuery(collectionPath(resource, query.namespace), {
      ...selectorsOf(query),
      watch: "true",
      allowWatchBookmarks: "true",
      resourceVersion: query.resourceVersion,
      timeoutSeconds: String(watchSeconds),
    });
    const answer = await calls.open(path, stop.signal);
    expireLater(request, stop);
    yield { kind: "bookmark", resourceVersion: query.resourceVersion };
    for await (const line of splitLines(answer.body, maxEventBytes)) yield parseEvent(line, resource);
    // A server that ends the stream because ours was cut says nothing of it.
    stop.signal.throwIfAborted();
  } finally {
    signal.removeEventListener("abort", abort);
    stop.abort();
  }
}

/** A connection of which the other end is gone delivers nothing, not even its end: it is cut once it must have ended. */
function expireLater<T extends KubernetesObject>(request: WatchRequest<T>, stop: AbortController): void {
  const { clock, watchSeconds, resource } = request;
  const limit = watchSeconds + graceSeconds;
  const expire = (): void =>
    stop.abort(new KubernetesError("deadline-exceeded", `a watch of ${resource.plural} did not end within ${limit}s`));
  clock.sleep(limit * 1000, stop.signal).then(expire, () => undefined);
}

const eventKinds: Readonly<Record<string, "added" | "modified" | "deleted">> = {
  ADDED: "added",
  MODIFIED: "modified",
  DELETED: "deleted",
};

function parseEvent<T extends KubernetesObject>(line: string, resource: Resource<T>): WatchEvent<T> {
  const event = parseLine(line);
  const type = isRecord(event) ? event.type : undefined;
  if (!isRecord(event) || typeof type !== "string") throw malformed("is not an event");
  const object = event.object;
  if (type === "BOOKMARK") return { kind: "bookmark", resourceVersion: resourceVersionOf(object) };
  if (type === "ERROR") throw errorEvent(object, resource);
  const kind = Object.hasOwn(eventKinds, type) ? eventKinds[type] : undefined;
  if (kind === undefined) throw malformed("is of an unknown type");
  resourceVersionOf(object);
  return { kind, object: resource.parse(object) };
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw malformed("is not JSON");
  }
}

function resourceVersionOf(object: unknown): string {
  const metadata = isRecord(object) ? object.metadata : undefined;
  const version = isRecord(metadata) ? metadata.resourceVersion : undefined;
  if (typeof version !== "string" || version === "") throw malformed("has no resourceVersion");
  return version;
}

function errorEvent<T extends KubernetesObject>(status: unknown, resource: Resource<T>): KubernetesError {
  const code = isRecord(status) && typeof status.code === "number" ? status.code : 500;
  const what = `a watch of ${resource.plural}`;
  return statusError({ status: code >= 400 && code <= 599 ? code : 500, what, body: status, secret: true });
}

function malformed(what: string): KubernetesError {
  return new KubernetesError("response-malformed", `a line of a watch ${what}`);
}

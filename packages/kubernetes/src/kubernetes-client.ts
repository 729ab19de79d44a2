import type { Clock } from "@signet/runtime";
import { KubernetesError, quote } from "./errors.ts";
import { createJsonCalls, isSuccess, type JsonCalls, refusalOf } from "./json-calls.ts";
import type { KubernetesApi } from "./kubernetes-api.ts";
import { listObjects, listPages } from "./list-objects.ts";
import { objectPath, ownCollectionPath, withQuery } from "./object-path.ts";
import type { KubernetesObject, ObjectName, Resource } from "./resource.ts";
import { resources } from "./resources.ts";
import { isRecord } from "./shape.ts";
import { isObjectMissing } from "./status-error.ts";
import { requestToken, reviewToken } from "./token-calls.ts";
import type { Transport } from "./transport.ts";
import { watchObjects } from "./watch-objects.ts";

/** Bounds of a connection. */
export type ClusterLimits = {
  /** How long a call may take, in milliseconds; default 10,000. */
  readonly deadlineMs?: number;
  /** The largest answer, and the largest event of a watch, in bytes; default 8 MiB. */
  readonly maxResponseBytes?: number;
  /** How long the server is asked to keep a watch, in whole seconds; default 40. */
  readonly watchSeconds?: number;
};

const defaults: Required<ClusterLimits> = {
  deadlineMs: 10_000,
  maxResponseBytes: 8 * 1024 * 1024,
  watchSeconds: 40,
};

/** The API over a transport. */
export function createKubernetesApi(
  transport: Transport,
  options: { readonly clock: Clock; readonly limits?: ClusterLimits },
): KubernetesApi {
  const { clock, limits } = options;
  const { deadlineMs, maxResponseBytes, watchSeconds } = { ...defaults, ...limits };
  const calls = createJsonCalls(transport, { clock, deadlineMs, maxResponseBytes });
  return {
    server: transport.server,
    close: () => transport.close(),
    reviewToken: (request, signal) => reviewToken(calls, request, signal),
    requestToken: (request, signal) => requestToken(calls, request, signal),
    read: (resource, name, signal) => readObject(calls, { resource, name }, signal),
    create: (resource, object, signal) => createObject(calls, { resource, object }, signal),
    replace: (resource, object, signal) => replaceObject(calls, { resource, object }, signal),
    replaceSubresource: ({ resource, subresource }, object, signal) =>
      replaceObject(calls, { resource, object, subresource }, signal),
    mergePatch: async (resource, { patch, ...name }, signal) => {
      const path = objectPath(resource, name);
      const contentType = "application/merge-patch+json";
      const call = { method: "PATCH", path, body: patch, contentType, secret: isSecret(resource) } as const;
      return parseNamed(await calls.json(call, signal), resource, name);
    },
    remove: (resource, target, signal) => removeObject(calls, { resource, target }, signal),
    list: (resource, query, signal) => listObjects(calls, { resource, query }, signal),
    listPages: (resource, query, signal) => listPages(calls, { resource, query }, signal),
    watch: (resource, query, signal) =>
      watchObjects(calls, { resource, query, watchSeconds, maxEventBytes: maxResponseBytes, clock }, signal),
    getJson: async (path, signal) => {
      if (!path.startsWith("/")) throw new KubernetesError("invalid", `${quote(path)} is not a path`);
      return calls.json({ method: "GET", path }, signal);
    },
  };
}

async function readObject<T extends KubernetesObject>(
  calls: JsonCalls,
  { resource, name }: { readonly resource: Resource<T>; readonly name: ObjectName },
  signal: AbortSignal,
): Promise<T | undefined> {
  const call = { method: "GET", path: objectPath(resource, name) } as const;
  const answer = await calls.ask(call, signal);
  if (isObjectMissing(answer.status, answer.value)) return undefined;
  if (!isSuccess(answer.status)) throw refusalOf(call, answer);
  return parseNamed(answer.value, resource, name);
}

async function createObject<T extends KubernetesObject>(
  calls: JsonCalls,
  { resource, object }: { readonly resource: Resource<T>; readonly object: T },
  signal: AbortSignal,
): Promise<T> {
  const { namespace, name, generateName } = object.metadata;
  if (name === "" && (generateName ?? "") === "") throw new KubernetesError("invalid", "an object has no name");
  const path = ownCollectionPath(resource, namespace);
  const call = { method: "POST", path, body: bodyOf(resource, object), secret: isSecret(resource) } as const;
  const value = await calls.json(call, signal);
  return name === "" ? parseObject(value, resource) : parseNamed(value, resource, object.metadata);
}

async function replaceObject<T extends KubernetesObject>(
  calls: JsonCalls,
  request: { readonly resource: Resource<T>; readonly object: T; readonly subresource?: string },
  signal: AbortSignal,
): Promise<T> {
  const { resource, object, subresource } = request;
  const path = objectPath(resource, object.metadata, subresource);
  const call = { method: "PUT", path, body: bodyOf(resource, object), secret: isSecret(resource) } as const;
  return parseNamed(await calls.json(call, signal), resource, object.metadata);
}

async function removeObject<T extends KubernetesObject>(
  calls: JsonCalls,
  request: { readonly resource: Resource<T>; readonly target: ObjectName & { readonly graceSeconds?: number } },
  signal: AbortSignal,
): Promise<void> {
  const { resource, target } = request;
  const path = withQuery(objectPath(resource, target), { gracePeriodSeconds: target.graceSeconds?.toString() });
  const call = { method: "DELETE", path } as const;
  const answer = await calls.ask(call, signal);
  if (isSuccess(answer.status) || isObjectMissing(answer.status, answer.value)) return;
  throw refusalOf(call, answer);
}

function bodyOf<T extends KubernetesObject>({ apiVersion, kind }: Resource<T>, object: T): unknown {
  return { ...object, apiVersion, kind };
}

/** Validation repeats what it refuses, and so would the error. */
function isSecret(resource: { readonly plural: string }): boolean {
  return resource.plural === resources.secrets.plural;
}

function parseObject<T extends KubernetesObject>(value: unknown, resource: Resource<T>): T {
  if (isRecord(value) && value.kind === resource.kind) return resource.parse(value);
  throw new KubernetesError("response-malformed", `an answer is not a ${resource.kind}`);
}

/** The object, if it is the one that was asked for. */
function parseNamed<T extends KubernetesObject>(value: unknown, resource: Resource<T>, name: ObjectName): T {
  const object = parseObject(value, resource);
  if (object.metadata.name === name.name && object.metadata.namespace === name.namespace) return object;
  throw new KubernetesError("response-malformed", `an answer is another ${resource.kind} than was asked for`);
}

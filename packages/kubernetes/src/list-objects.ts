import { errorCode } from "@signet/runtime";
import { KubernetesError } from "./errors.ts";
import type { JsonCalls } from "./json-calls.ts";
import type { ListQuery, ObjectList } from "./kubernetes-api.ts";
import { collectionPath, withQuery } from "./object-path.ts";
import type { KubernetesObject, Resource } from "./resource.ts";
import { isRecord } from "./shape.ts";

const defaultPageSize = 250;
const maxRestarts = 3;

/** All pages of a collection; the pages are made smaller when one is too large for an answer. */
export async function* listPages<T extends KubernetesObject>(
  calls: JsonCalls,
  request: { readonly resource: Resource<T>; readonly query: ListQuery },
  signal: AbortSignal,
): AsyncGenerator<ObjectList<T>, void, undefined> {
  const { resource, query } = request;
  const collection = collectionPath(resource, query.namespace);
  let limit = query.pageSize ?? defaultPageSize;
  let next: string | undefined;
  for (;;) {
    const path = withQuery(collection, { ...selectorsOf(query), limit: String(limit), continue: next });
    let page: Page<T>;
    try {
      page = parsePage(await calls.json({ method: "GET", path }, signal), resource);
    } catch (error) {
      if (errorCode(error) !== "response-too-large" || limit === 1) throw error;
      limit = Math.max(1, Math.floor(limit / 4));
      continue;
    }
    yield { items: page.items, resourceVersion: page.resourceVersion };
    if (page.next === undefined) return;
    // A server that sends the same page for ever is not followed.
    if (page.next === next) throw new KubernetesError("response-malformed", "a list goes on where it was before");
    next = page.next;
  }
}

/** The whole collection at one instant; begun again when that instant is forgotten on the way. */
export async function listObjects<T extends KubernetesObject>(
  calls: JsonCalls,
  request: { readonly resource: Resource<T>; readonly query: ListQuery },
  signal: AbortSignal,
): Promise<ObjectList<T>> {
  for (let restarts = 0; ; restarts += 1) {
    try {
      const items: T[] = [];
      let resourceVersion = "";
      for await (const page of listPages(calls, request, signal)) {
        items.push(...page.items);
        resourceVersion = page.resourceVersion;
      }
      return { items, resourceVersion };
    } catch (error) {
      if (errorCode(error) !== "gone" || restarts === maxRestarts) throw error;
    }
  }
}

/** The selectors of a query as parameters. */
export function selectorsOf({ labelSelector, fieldSelector }: ListQuery): Readonly<Record<string, string | undefined>> {
  return { labelSelector, fieldSelector };
}

type Page<T> = ObjectList<T> & { readonly next: string | undefined };

function parsePage<T extends KubernetesObject>(value: unknown, resource: Resource<T>): Page<T> {
  const metadata = isRecord(value) ? value.metadata : undefined;
  if (!isRecord(value) || !isRecord(metadata) || value.kind !== `${resource.kind}List`) {
    throw new KubernetesError("response-malformed", `an answer is not a list of ${resource.plural}`);
  }
  const items = value.items ?? [];
  const { resourceVersion, continue: next } = metadata;
  if (!Array.isArray(items) || typeof resourceVersion !== "string" || resourceVersion === "") {
    throw new KubernetesError("response-malformed", `a list of ${resource.plural} has no items or no resourceVersion`);
  }
  return {
    items: items.map((item) => resource.parse(item)),
    resourceVersion,
    next: typeof next === "string" && next !== "" ? next : undefined,
  };
}

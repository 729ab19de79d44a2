import { randomUUID } from "node:crypto";
import { isRecord } from "../shape.ts";
import { type FakeKind, fakeKinds } from "./fake-kinds.ts";
import type { FakeObjects } from "./fake-objects.ts";
import { badRequest, expired, FakeRefusal, noSuchPath } from "./fake-refusal.ts";
import { parseSelectors } from "./fake-selectors.ts";
import type { FakeStore, StoredObject } from "./fake-store.ts";
import type { FakeTokens } from "./fake-tokens.ts";
import type { FakeWatches } from "./fake-watches.ts";

/** A request whose sender is known. */
export type FakeCall = {
  readonly method: string;
  readonly url: URL;
  readonly accept: string;
  readonly contentType: string;
  readonly body: string;
  readonly user: string;
};

/** JSON, or the lines of a watch. */
export type FakeResult =
  | { readonly status: number; readonly json: unknown }
  | { readonly status: 200; readonly lines: AsyncGenerator<string, void, undefined> };

/** What the routes lead to. */
export type FakeBackends = {
  readonly store: FakeStore;
  readonly objects: FakeObjects;
  readonly tokens: FakeTokens;
  readonly watches: FakeWatches;
};

type Place = {
  readonly kind: FakeKind;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly subresource: string | undefined;
};

const snapshotLimit = 100;

/** Leads requests to what answers them, as the paths of the real API do. */
export class FakeRoutes {
  readonly #backends: FakeBackends;
  readonly #kinds = fakeKinds();
  /** Lists that are read page by page, by their continue token. */
  readonly #snapshots = new Map<string, { readonly items: readonly StoredObject[]; readonly revision: number }>();

  constructor(backends: FakeBackends) {
    this.#backends = backends;
  }

  kind(plural: string): FakeKind {
    const kind = this.#kinds.get(plural);
    if (kind === undefined) throw noSuchPath();
    return kind;
  }

  forgetLists(): void {
    this.#snapshots.clear();
  }

  answer(call: FakeCall, signal: AbortSignal): FakeResult {
    const { tokens } = this.#backends;
    const { pathname } = call.url;
    if (call.method === "GET" && pathname === "/openid/v1/jwks") {
      if (!call.accept.includes("application/jwk-set+json")) throw new FakeRefusal(406, "406: Not Acceptable");
      return { status: 200, json: tokens.jwks() };
    }
    if (call.method === "GET" && pathname === "/.well-known/openid-configuration") {
      return { status: 200, json: discoveryOf(tokens.issuer) };
    }
    if (call.method === "GET" && pathname === "/version") return { status: 200, json: { gitVersion: "v0.0.0-fake" } };
    if (call.method === "POST" && pathname === "/apis/authentication.k8s.io/v1/tokenreviews") {
      return { status: 201, json: tokens.review(parseBody(call)) };
    }
    return this.#answerObject(call, this.#placeOf(pathname), signal);
  }

  #answerObject(call: FakeCall, place: Place, signal: AbortSignal): FakeResult {
    const { objects, tokens } = this.#backends;
    const { kind, namespace, name, subresource } = place;
    if (name === undefined) {
      if (call.method === "GET") return this.#collection(call, place, signal);
      if (call.method !== "POST" || (kind.namespaced && namespace === undefined)) throw noSuchMethod();
      return { status: 201, json: objects.create({ kind, namespace }, parseBody(call), call.user) };
    }
    const target = { kind, namespace, name };
    if (kind.plural === "serviceaccounts" && subresource === "token" && call.method === "POST") {
      return { status: 201, json: tokens.request(namespace ?? "", name, parseBody(call)) };
    }
    if (call.method === "PUT")
      return { status: 200, json: objects.replace({ ...target, subresource }, parseBody(call)) };
    if (subresource !== undefined) throw noSuchPath();
    switch (call.method) {
      case "GET":
        return { status: 200, json: objects.read(target) };
      case "PATCH":
        if (call.contentType !== "application/merge-patch+json") throw new FakeRefusal(415, "unsupported media type");
        return { status: 200, json: objects.patch(target, parseBody(call)) };
      case "DELETE": {
        const grace = call.url.searchParams.get("gracePeriodSeconds");
        return { status: 200, json: objects.delete(target, grace === null ? undefined : Number(grace)) };
      }
      default:
        throw noSuchMethod();
    }
  }

  #collection(call: FakeCall, { kind, namespace }: Place, signal: AbortSignal): FakeResult {
    const { store, watches } = this.#backends;
    const query = call.url.searchParams;
    const matches = parseSelectors(query.get("labelSelector") ?? undefined, query.get("fieldSelector") ?? undefined);
    if (query.get("watch") === "true") {
      const resourceVersion = query.get("resourceVersion") ?? "";
      if (!/^\d{1,15}$/.test(resourceVersion)) {
        throw new FakeRefusal(
          500,
          `resourceVersion: Invalid value: ${JSON.stringify(resourceVersion)}: strconv.ParseUint`,
        );
      }
      const timeoutSeconds = Number(query.get("timeoutSeconds") ?? "1800");
      const bookmarks = query.get("allowWatchBookmarks") === "true";
      const request = { kind, namespace, matches, resourceVersion, timeoutSeconds, bookmarks };
      return { status: 200, lines: watches.lines(request, signal) };
    }
    const isHere = (object: StoredObject): boolean =>
      (namespace === undefined || object.metadata.namespace === namespace) && matches(object);
    const limit = Number(query.get("limit") ?? "0");
    const token = query.get("continue") ?? undefined;
    const whole =
      token === undefined
        ? { items: store.all(kind.plural).filter(isHere), revision: store.revision }
        : this.#rest(token);
    return { status: 200, json: this.#page(kind, whole, limit) };
  }

  #page(
    kind: FakeKind,
    whole: { readonly items: readonly StoredObject[]; readonly revision: number },
    limit: number,
  ): unknown {
    const { items, revision } = whole;
    const page = limit > 0 ? items.slice(0, limit) : items;
    const rest = items.slice(page.length);
    const metadata = { resourceVersion: String(revision) };
    const list = { kind: `${kind.kind}List`, apiVersion: kind.apiVersion };
    // As from the real server, the items of a list do not say what they are.
    const bare = page.map(({ kind: _kind, apiVersion: _version, ...object }) => object);
    if (rest.length === 0) return { ...list, metadata, items: bare };
    const token = randomUUID();
    this.#snapshots.set(token, { items: rest, revision });
    for (const old of [...this.#snapshots.keys()].slice(0, -snapshotLimit)) this.#snapshots.delete(old);
    return { ...list, metadata: { ...metadata, continue: token, remainingItemCount: rest.length }, items: bare };
  }

  #rest(token: string): { readonly items: readonly StoredObject[]; readonly revision: number } {
    const snapshot = this.#snapshots.get(token);
    if (snapshot === undefined) {
      throw expired("The provided continue parameter is too old to display a consistent list result.");
    }
    return snapshot;
  }

  #placeOf(pathname: string): Place {
    const segments = pathname.split("/").slice(1).map(decodeURIComponent);
    const core = segments[0] === "api";
    const apiVersion = core ? segments[1] : segments.slice(1, 3).join("/");
    const rest = segments.slice(core ? 2 : 3);
    const inNamespace =
      rest[0] === "namespaces" && rest.length > 2 && this.#kinds.get(rest[2] ?? "")?.namespaced === true;
    const [plural = "", name, subresource, ...more] = inNamespace ? rest.slice(2) : rest;
    const kind = this.kind(plural);
    const namespace = inNamespace ? rest[1] : undefined;
    if (kind.apiVersion !== apiVersion || more.length > 0) throw noSuchPath();
    if (name !== undefined && kind.namespaced && namespace === undefined) throw noSuchPath();
    return { kind, namespace, name, subresource };
  }
}

function parseBody({ body }: FakeCall): unknown {
  try {
    const value: unknown = JSON.parse(body);
    if (isRecord(value)) return value;
  } catch {
    // Said below.
  }
  throw badRequest("the object provided is unrecognized");
}

function discoveryOf(issuer: string): unknown {
  return {
    ...{ issuer, jwks_uri: `${issuer}/openid/v1/jwks`, response_types_supported: ["id_token"] },
    ...{ subject_types_supported: ["public"], id_token_signing_alg_values_supported: ["RS256"] },
  };
}

function noSuchMethod(): FakeRefusal {
  return new FakeRefusal(405, "the server does not allow this method on the requested resource", {
    reason: "MethodNotAllowed",
  });
}

import { randomBytes } from "node:crypto";
import type { Clock } from "@signet/runtime";
import type { KubernetesObject, ObjectName, Resource } from "../resource.ts";
import {
  answerOf,
  type FakeFault,
  type FakeOutgoing,
  type FakeRequest,
  refusalAnswer,
  refusalOf,
  silence,
  textAnswer,
  truncated,
} from "./fake-answers.ts";
import type { FakeKind } from "./fake-kinds.ts";
import { FakeObjects } from "./fake-objects.ts";
import { FakeRefusal } from "./fake-refusal.ts";
import { type FakeCall, FakeRoutes } from "./fake-routes.ts";
import { FakeStore, keyOf, recordAt, type StoredObject } from "./fake-store.ts";
import { FakeTokens } from "./fake-tokens.ts";
import { ConnectionCut, FakeWatches, type WatchBreak } from "./fake-watches.ts";

/** A request as it comes from outside. */
export type FakeIncoming = {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly authorization: string | undefined;
  readonly accept: string;
  readonly contentType: string;
  readonly body: string;
};

const keptRequests = 10_000;
const firstNamespaces = ["default", "kube-node-lease", "kube-public", "kube-system"];

/**
 * A cluster in memory, and what an operator does to it by hand, at once and past all faults.
 * @example
 * ```ts
 * import { resources } from "@signet/kubernetes";
 * import { fakeKubernetes } from "@signet/kubernetes/testing";
 * import { systemClock } from "@signet/runtime";
 * const { api, cluster } = fakeKubernetes({ clock: systemClock });
 * cluster.put(resources.configMaps, { metadata: { namespace: "default", name: "greeting" }, data: { text: "hello" } });
 * await api.read(resources.configMaps, { namespace: "default", name: "greeting" }, new AbortController().signal);
 * ```
 */
export class FakeCluster {
  /** Of service account tokens. */
  readonly issuer: string;
  /** The administrator's; other tokens that are valid may do everything too. */
  readonly adminToken: string = randomBytes(24).toString("hex");
  readonly #store = new FakeStore();
  readonly #objects: FakeObjects;
  readonly #tokens: FakeTokens;
  readonly #watches: FakeWatches;
  readonly #routes: FakeRoutes;
  readonly #clock: Clock;
  #requests: FakeRequest[] = [];
  #fault: FakeFault | undefined;

  constructor(issuer: string, clock: Clock) {
    this.issuer = issuer;
    this.#clock = clock;
    this.#objects = new FakeObjects(this.#store, clock);
    this.#tokens = new FakeTokens(issuer, this.#store, clock);
    this.#watches = new FakeWatches(this.#store, clock);
    const [store, objects, tokens, watches] = [this.#store, this.#objects, this.#tokens, this.#watches];
    this.#routes = new FakeRoutes({ store, objects, tokens, watches });
    for (const name of firstNamespaces) {
      this.#objects.create({ kind: this.#routes.kind("namespaces") }, { metadata: { name } }, "system:apiserver");
    }
  }

  /** The keys that service account tokens are signed with, as at /openid/v1/jwks. */
  get jwks(): string {
    return JSON.stringify(this.#tokens.jwks());
  }

  /** What was asked, oldest first; the last 10,000. */
  get requests(): readonly FakeRequest[] {
    return this.#requests;
  }

  /** How many watches are under way. */
  get watchCount(): number {
    return this.#watches.count;
  }

  /** Creates or replaces an object with its status, whatever its resourceVersion; watches see it. */
  put<T extends KubernetesObject>(resource: Resource<T>, object: T): T {
    const kind = this.#routes.kind(resource.plural);
    const before = this.#store.get(resource.plural, keyOf(object.metadata));
    const { apiVersion, kind: name } = resource;
    const metadata = { uid: "", resourceVersion: "", ...before?.metadata, ...object.metadata };
    const stored: StoredObject = structuredClone({ ...object, apiVersion, kind: name, metadata });
    if (before === undefined) addDefaults(kind, stored);
    return resource.parse(structuredClone(this.#store.put(resource.plural, this.#objects.stamp(stored))));
  }

  get<T extends KubernetesObject>(resource: Resource<T>, name: ObjectName): T | undefined {
    const object = this.#store.get(resource.plural, keyOf(name));
    return object && resource.parse(structuredClone(object));
  }

  /** All objects of a kind, by namespace and name. */
  all<T extends KubernetesObject>(resource: Resource<T>): readonly T[] {
    return this.#store.all(resource.plural).map((object) => resource.parse(structuredClone(object)));
  }

  /** Removes an object at once, namespaces and pods too. */
  delete<T extends KubernetesObject>(resource: Resource<T>, name: ObjectName): void {
    this.#store.delete(resource.plural, keyOf(name));
  }

  /** A token signed by the cluster's key with exactly these claims. */
  signToken(claims: Readonly<Record<string, unknown>>): string {
    return this.#tokens.sign(claims);
  }

  /** Replaces the key that signs tokens; tokens of the old one stay valid when it is kept in the JWKS. */
  rotateKey(options: { readonly keepOld?: boolean } = {}): void {
    this.#tokens.rotate(options.keepOld === true);
  }

  /** From now on requests meet this; undefined ends it. Watches under way are not touched. */
  setFault(fault: FakeFault | undefined): void {
    this.#fault = fault;
  }

  /** Ends all watches under way: as the server does, by cutting them, with an ERROR event, or by falling silent for good. */
  breakWatches(how: WatchBreak): void {
    this.#watches.break(how);
  }

  /** Forgets what happened until now: watches from before, and lists half read, are answered 410. */
  forgetHistory(): void {
    this.#store.forgetChanges();
    this.#routes.forgetLists();
  }

  /** Takes the revision back by so many changes, as a restored backup does, while the objects stay as they are. */
  turnBack(revisions: number): void {
    this.#store.turnBack(revisions);
    this.#routes.forgetLists();
  }

  /** Sends a bookmark of the present to every watch that asked for bookmarks. */
  sendBookmarks(): void {
    this.#watches.bookmark();
  }

  /** Answers one request, as far as it is answered at all. */
  async answer(incoming: FakeIncoming, signal: AbortSignal): Promise<FakeOutgoing> {
    const url = new URL(incoming.path, "https://cluster");
    const watch = url.searchParams.get("watch") === "true";
    const request = { method: incoming.method, path: url.pathname, watch };
    this.#requests.push(request);
    if (this.#requests.length > keptRequests) this.#requests = this.#requests.slice(-keptRequests);
    const fault = this.#fault?.only?.(request) === false ? undefined : this.#fault;
    if (fault?.kind === "slow") await this.#clock.sleep(fault.ms, signal);
    if (fault?.kind === "half-open") await silence(signal);
    if (fault?.kind === "reset") throw new ConnectionCut();
    if (fault?.kind === "garbage") return textAnswer(200, "\u0000not json {{{");
    if (fault?.kind === "status") return refusalAnswer(refusalOf(fault));
    const outgoing = this.#answerRightly({ ...incoming, url }, signal);
    return fault?.kind === "truncated" ? truncated(outgoing) : outgoing;
  }

  #answerRightly(incoming: FakeIncoming & { readonly url: URL }, signal: AbortSignal): FakeOutgoing {
    try {
      const call: FakeCall = { ...incoming, user: this.#userOf(incoming.authorization) };
      return answerOf(this.#routes.answer(call, signal));
    } catch (error) {
      if (error instanceof FakeRefusal) return refusalAnswer(error);
      throw error;
    }
  }

  #userOf(authorization: string | undefined): string {
    const token = authorization?.startsWith("Bearer ") === true ? authorization.slice("Bearer ".length) : "";
    if (token === this.adminToken) return "admin";
    const verdict = token === "" ? undefined : this.#tokens.verify(token, [this.issuer]);
    if (verdict?.kind === "user") return String(verdict.user.username);
    throw new FakeRefusal(401, "Unauthorized", { reason: "Unauthorized" });
  }
}

/** What `create` would add, but for what was given. */
function addDefaults(kind: FakeKind, object: StoredObject): void {
  if (kind.kind === "Namespace") {
    const labels = { "kubernetes.io/metadata.name": object.metadata.name, ...recordAt(object.metadata, "labels") };
    object.metadata.labels = labels;
    object.status ??= { phase: "Active" };
  }
  if (kind.kind === "Secret") object.type ??= "Opaque";
}

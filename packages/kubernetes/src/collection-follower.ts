import { type Backoff, type Clock, createBackoff, type Random } from "@signet/runtime";
import { KubernetesError, type KubernetesErrorCode } from "./errors.ts";
import type { KubernetesApi, ListQuery, WatchEvent } from "./kubernetes-api.ts";
import type { MirrorChange, MirrorContents } from "./mirror-contents.ts";
import type { KubernetesObject, Resource } from "./resource.ts";

/** What a mirror is at. */
export type MirrorState = {
  /** Grows with every change of the content. */
  readonly version: number;
  readonly synced: boolean;
  /** What last went wrong, until the server is heard of again. */
  readonly error?: KubernetesError;
};

/** What is followed. */
export type FollowedCollection<T extends KubernetesObject> = {
  readonly api: KubernetesApi;
  readonly resource: Resource<T>;
  readonly query: ListQuery;
  readonly staleAfterMs: number;
};

/** Where it goes. */
export type FollowerTarget<T extends KubernetesObject, V> = Pick<MirrorContents<T, V>, "begin" | "apply"> & {
  publish(state: MirrorState): void;
  tell(change: MirrorChange<V>): void;
};

const firstWaitMs = 200;
const longestWaitMs = 10_000;
const longestRetryAfterMs = 60_000;
/** A watch that ends sooner has not been kept by anyone, and says nothing. */
const shortestWatchMs = 5_000;

/** Errors after which a watch can go on from where the last one was; after any other the collection is listed again. */
const resumable: ReadonlySet<KubernetesErrorCode> = new Set([
  "unavailable",
  "too-many-requests",
  "unauthorized",
  "forbidden",
  "not-found",
]);

/** Lists a collection and follows it with watches, for as long as it runs. */
export class CollectionFollower<T extends KubernetesObject, V> {
  readonly #collection: FollowedCollection<T>;
  readonly #clock: Clock;
  readonly #target: FollowerTarget<T, V>;
  readonly #backoff: Backoff;
  #state: MirrorState = { version: 0, synced: false };
  /** Up to where everything is in the copy; undefined when the next step is a list. */
  #position: string | undefined;
  #silence = new AbortController();
  #watching = new AbortController();
  #listenerFailed = false;

  constructor(
    collection: FollowedCollection<T>,
    dependencies: { readonly clock: Clock; readonly random: Random },
    target: FollowerTarget<T, V>,
  ) {
    this.#collection = collection;
    this.#clock = dependencies.clock;
    this.#target = target;
    this.#backoff = createBackoff({ initialMs: firstWaitMs, maxMs: longestWaitMs }, dependencies.random);
  }

  async run(signal: AbortSignal): Promise<void> {
    try {
      while (!signal.aborted) {
        const waitMs = await this.#step(signal);
        await this.#clock.sleep(waitMs, signal).catch(() => undefined);
      }
    } finally {
      this.#silence.abort();
      this.#publish({ synced: false });
    }
  }

  /** One list, if one is due, and one watch; returns how long to wait before the next. */
  async #step(signal: AbortSignal): Promise<number> {
    try {
      this.#position ??= await this.#list(signal);
      this.#watching = new AbortController();
      return await this.#watch(this.#position, AbortSignal.any([signal, this.#watching.signal]));
    } catch (error) {
      if (this.#listenerFailed) throw error;
      if (signal.aborted) return 0;
      if (!(error instanceof KubernetesError)) throw error;
      if (!resumable.has(error.code)) this.#position = undefined;
      this.#publish({ error });
      return Math.max(this.#backoff.nextMs(), Math.min(error.retryAfterMs ?? 0, longestRetryAfterMs));
    }
  }

  async #list(signal: AbortSignal): Promise<string> {
    const { api, resource, query } = this.#collection;
    const next = this.#target.begin();
    let resourceVersion = "";
    for await (const page of api.listPages(resource, query, signal)) {
      next.add(page.items);
      resourceVersion = page.resourceVersion;
    }
    const changes = next.adopt();
    this.#heard();
    if (!this.#state.synced) this.#publish({ synced: true });
    this.#tell(changes);
    return resourceVersion;
  }

  /** Follows one watch to its end; returns how long to wait before the next. */
  async #watch(from: string, signal: AbortSignal): Promise<number> {
    const { api, resource, query } = this.#collection;
    const timer = new AbortController();
    let opened = false;
    let lasted = false;
    const last = (): void => {
      lasted = true;
    };
    this.#clock.sleep(shortestWatchMs, timer.signal).then(last, () => undefined);
    try {
      for await (const event of api.watch(resource, { ...query, resourceVersion: from }, signal)) {
        // That it opens proves nothing yet: 410 may come first, or nothing at all.
        if (opened) this.#receive(event);
        opened = true;
      }
    } finally {
      timer.abort();
    }
    if (!lasted) return this.#backoff.nextMs();
    this.#checkNotBefore(await this.#presentVersion(signal));
    this.#heard();
    this.#backoff.reset();
    return 0;
  }

  #receive(event: WatchEvent<T>): void {
    const { resourceVersion = "" } = event.kind === "bookmark" ? event : event.object.metadata;
    this.#heard();
    this.#backoff.reset();
    this.#position = resourceVersion;
    if (event.kind !== "bookmark") this.#tell(this.#target.apply(event.kind, event.object));
  }

  /** Where the server is now. */
  async #presentVersion(signal: AbortSignal): Promise<string> {
    const { api, resource, query } = this.#collection;
    for await (const page of api.listPages(resource, { ...query, pageSize: 1 }, signal)) return page.resourceVersion;
    return "";
  }

  /** A server that has been put back to a backup says nothing to a watch from its future. */
  #checkNotBefore(resourceVersion: string): void {
    if (this.#position === undefined || !isBefore(resourceVersion, this.#position)) return;
    const { plural } = this.#collection.resource;
    throw new KubernetesError("gone", `the server has gone back behind what it had told of ${plural}`);
  }

  /** What we hold is as old as this moment at most. */
  #heard(): void {
    this.#silence.abort();
    this.#silence = new AbortController();
    this.#clock.sleep(this.#collection.staleAfterMs, this.#silence.signal).then(
      () => this.#goStale(),
      () => undefined,
    );
    if (this.#state.error !== undefined) this.#publish({});
  }

  #goStale(): void {
    const { resource, staleAfterMs } = this.#collection;
    const error = new KubernetesError("deadline-exceeded", `no word of ${resource.plural} for ${staleAfterMs}ms`);
    this.#position = undefined;
    this.#publish({ synced: false, error });
    this.#watching.abort(error);
  }

  #tell(changes: readonly MirrorChange<V>[]): void {
    if (changes.length === 0) return;
    this.#publish({ version: this.#state.version + 1 });
    try {
      for (const change of changes) this.#target.tell(change);
    } catch (error) {
      this.#listenerFailed = true;
      throw error;
    }
  }

  /** The state with these changes; an error stays only where it is named. */
  #publish(change: Partial<MirrorState>): void {
    const { version, synced } = this.#state;
    this.#state = { version, synced, ...change };
    this.#target.publish(this.#state);
  }
}

/** Whether one resourceVersion is older than another; only numbers can be compared, as those of every API server are. */
function isBefore(one: string, other: string): boolean {
  return /^\d+$/.test(one) && /^\d+$/.test(other) && BigInt(one) < BigInt(other);
}

import { KubernetesError } from "@signet/kubernetes";
import { type Backoff, createBackoff, runGroup, type Source, type Task } from "@signet/runtime";
import { type ContestGuard, createContestGuard } from "./contest-guard.ts";
import { createDueQueue, type DueQueue } from "./due-queue.ts";
import { copyMaps, type MapCopies } from "./map-copies.ts";
import { type PublishedMap, revocationMap, rootMap } from "./published-map.ts";
import type { RootPublisherDependencies, RootPublisherOptions, RootPublisherStatus } from "./root-publishing.ts";
import { createTokenBucket, type TokenBucket } from "./token-bucket.ts";
import { writeMap } from "./write-map.ts";

/** Publishes a trust bundle to the namespaces of a cluster. */
export interface RootPublisher {
  readonly task: Task;
  status(): RootPublisherStatus;
}

/** Replicas that see the same change look at it at different instants, and most find it done. */
const jitterMs = 500;
const forbiddenRetryMs = 30_000;
const sweepMs = 600_000;
const syncCheckMs = 250;
const defaultWritesPerSecond = 20;

/**
 * Returns a publisher that keeps the trust bundle in a ConfigMap of every namespace but `kube-public`, `kube-node-lease`
 * and `local-path-storage`, and of those that are being deleted.
 *
 * It follows namespaces, ConfigMaps and the bundle: what is missing is made, what was edited is put right, and nothing else
 * is written. Other keys and labels are left alone, and nothing is ever deleted. A ConfigMap with the same certificates in
 * another order is right, so replicas with the same roots never write against each other; where somebody else keeps
 * writing something else, corrections come ever more rarely.
 * @example
 * ```ts
 * import { createRootPublisher, type RootPublisherEvents } from "@signet/ca-kubernetes";
 * import type { KubernetesApi } from "@signet/kubernetes";
 * import { type Source, systemClock } from "@signet/runtime";
 * import type { TrustBundle } from "@signet/x509";
 * export function publish(api: KubernetesApi, trustBundle: Source<TrustBundle>, events: RootPublisherEvents) {
 *   const names = { rootConfigMap: "istio-ca-root-cert", crlConfigMap: "istio-ca-crl" };
 *   return createRootPublisher({ api, trustBundle, ...names }, { clock: systemClock, random: Math.random, events });
 * }
 * ```
 */
export function createRootPublisher(
  options: RootPublisherOptions,
  dependencies: RootPublisherDependencies,
): RootPublisher {
  const publisher = new NamespacePublisher(options, dependencies);
  return { task: publisher.task, status: () => publisher.status() };
}

type Counts = { created: number; corrected: number; failed: number; passedOver: number };

class NamespacePublisher {
  readonly task: Task;
  readonly #options: RootPublisherOptions;
  readonly #dependencies: RootPublisherDependencies;
  readonly #maps: readonly PublishedMap[];
  readonly #copies: MapCopies;
  readonly #queue: DueQueue;
  readonly #bucket: TokenBucket;
  readonly #guard: ContestGuard;
  readonly #backoffs = new Map<string, Backoff>();
  readonly #forbiddenSince = new Map<string, number>();
  readonly #counts: Counts = { created: 0, corrected: 0, failed: 0, passedOver: 0 };

  constructor(options: RootPublisherOptions, dependencies: RootPublisherDependencies) {
    const { api, trustBundle, revocationLists, writesPerSecond = defaultWritesPerSecond } = options;
    const { clock } = dependencies;
    this.#options = options;
    this.#dependencies = dependencies;
    const root = rootMap(options.rootConfigMap, () => trustBundle.current());
    this.#maps =
      revocationLists === undefined
        ? [root]
        : [root, revocationMap(options.crlConfigMap, () => revocationLists.current())];
    const choice = { watchNamespaces: options.watchNamespaces ?? [], selects: options.selects ?? (() => true) };
    this.#copies = copyMaps(api, { maps: this.#maps, choice }, dependencies);
    this.#queue = createDueQueue(clock);
    this.#bucket = createTokenBucket({ burst: writesPerSecond, intervalMs: 1_000 / writesPerSecond }, clock);
    this.#guard = createContestGuard(clock);
    this.task = { name: "root publisher", run: (signal) => this.#run(signal) };
  }

  status(): RootPublisherStatus {
    let namespaces = 0;
    for (const _ of this.#copies.namespaces()) namespaces += 1;
    return { namespaces, pending: this.#queue.size(), ...this.#counts };
  }

  async #run(signal: AbortSignal): Promise<void> {
    this.#copies.onChange((namespace) => this.#changed(namespace));
    const { trustBundle, revocationLists } = this.#options;
    const tasks: Task[] = [
      ...this.#copies.tasks,
      { name: "follow the trust bundle", run: (running) => this.#follow(trustBundle, running) },
      { name: "publish", run: (running) => this.#publish(running) },
      { name: "sweep", run: (running) => this.#sweep(running) },
    ];
    if (revocationLists !== undefined) {
      tasks.push({ name: "follow the revocation lists", run: (running) => this.#follow(revocationLists, running) });
    }
    await runGroup(tasks, signal);
  }

  async #follow(source: Source<unknown>, signal: AbortSignal): Promise<void> {
    for await (const _ of source.changes(signal)) this.#addAll();
  }

  /** Now and then everything is looked at, which costs no call where all is well. */
  async #sweep(signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#dependencies.clock.sleep(sweepMs, signal);
      await this.#untilSynced(signal);
      this.#addAll();
    }
  }

  async #publish(signal: AbortSignal): Promise<void> {
    for (;;) {
      const namespace = await this.#queue.next(signal);
      await this.#untilSynced(signal);
      for (const map of this.#maps) await this.#reconcile(map, namespace, signal);
    }
  }

  /** On a copy that cannot be believed nothing is done: it would be done in vain, or over and over. */
  async #untilSynced(signal: AbortSignal): Promise<void> {
    while (!this.#copies.synced()) await this.#dependencies.clock.sleep(syncCheckMs, signal);
  }

  #addAll(): void {
    for (const namespace of this.#copies.namespaces()) this.#add(namespace);
  }

  #add(namespace: string): void {
    this.#queue.add(namespace, this.#dependencies.random() * jitterMs);
  }

  #changed(namespace: string): void {
    if (this.#copies.wants(namespace)) {
      this.#add(namespace);
      return;
    }
    this.#queue.remove(namespace);
    this.#forget(namespace);
    for (const map of this.#maps) this.#guard.forget(keyOf(map, namespace));
  }

  async #reconcile(map: PublishedMap, namespace: string, signal: AbortSignal): Promise<void> {
    if (this.#isRight(map, namespace)) return;
    const waitMs = this.#guard.waitMs(keyOf(map, namespace));
    if (waitMs > 0) {
      this.#queue.add(namespace, waitMs);
      return;
    }
    await this.#bucket.take(signal);
    // Another replica may have been faster.
    if (this.#isRight(map, namespace)) return;
    try {
      await this.#write(map, namespace, signal);
    } catch (error) {
      signal.throwIfAborted();
      this.#retry(map, namespace, error);
    }
  }

  #isRight(map: PublishedMap, namespace: string): boolean {
    const wanted = map.wanted();
    if (wanted === undefined || !this.#copies.wants(namespace)) return true;
    const found = this.#copies.find(map, namespace);
    if (found === "missing") return wanted === "";
    return found.text !== undefined && map.holds(found.text);
  }

  async #write(map: PublishedMap, namespace: string, signal: AbortSignal): Promise<void> {
    const missing = this.#copies.find(map, namespace) === "missing";
    const outcome = await writeMap(this.#options.api, { map, namespace, missing }, signal);
    if (outcome === "forbidden") {
      this.#passOverForbidden(namespace);
      return;
    }
    this.#forget(namespace);
    this.#counts[outcome === "passed-over" ? "passedOver" : outcome] += 1;
    if (this.#guard.wrote(keyOf(map, namespace))) {
      this.#dependencies.events.contested({ namespace, configMap: map.name });
    }
  }

  /** Mostly a namespace that is going; one that is there and forbidden half a minute later is a failure. */
  #passOverForbidden(namespace: string): void {
    const now = this.#dependencies.clock.now().getTime();
    const since = this.#forbiddenSince.get(namespace) ?? now;
    this.#forbiddenSince.set(namespace, since);
    if (now - since >= forbiddenRetryMs) throw new KubernetesError("forbidden", "the ConfigMap may not be made");
    this.#counts.passedOver += 1;
    this.#queue.add(namespace, since + forbiddenRetryMs - now);
  }

  #forget(namespace: string): void {
    this.#backoffs.delete(namespace);
    this.#forbiddenSince.delete(namespace);
  }

  #retry(map: PublishedMap, namespace: string, error: unknown): void {
    const { random } = this.#dependencies;
    const backoff =
      this.#backoffs.get(namespace) ?? createBackoff({ initialMs: 1_000, maxMs: 60_000, minMs: 250 }, random);
    this.#backoffs.set(namespace, backoff);
    const retryMs = backoff.nextMs();
    this.#counts.failed += 1;
    this.#queue.add(namespace, retryMs);
    this.#dependencies.events.publishFailed({ namespace, configMap: map.name, error, retryMs });
  }
}

function keyOf(map: PublishedMap, namespace: string): string {
  return `${namespace}/${map.name}`;
}

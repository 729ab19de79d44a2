import assert from "node:assert/strict";
import { systemClock } from "@signet/runtime";
import type { WatchEvent } from "../kubernetes-api.ts";
import { mirror } from "../mirror.ts";
import { type ConfigMap, resources } from "../resources.ts";
import { eventually, type SuiteIt, type SuiteTest } from "./kubernetes-api-suite.ts";

const { configMaps } = resources;

/** How changes are told. */
export function watchTests(it: SuiteIt): void {
  changeTests(it);
  selectionTests(it);
  endTests(it);
  mirrorTests(it);
}

function changeTests(it: SuiteIt): void {
  it("tells of every change after a version, in order", async (given) => {
    const { api, namespace, signal } = given;
    await put(given, "before");
    const { resourceVersion } = await api.list(configMaps, { namespace }, signal);
    const watch = follow(given, { resourceVersion });
    assert.deepEqual(await watch.next(), { kind: "bookmark", resourceVersion });
    await put(given, "a", "1");
    await put(given, "a", "2");
    await api.remove(configMaps, { namespace, name: "a" }, signal);
    await put(given, "b");
    assert.deepEqual(await watch.told(4), ["added a 1", "modified a 2", "deleted a 2", "added b -"]);
    await watch.stop();
  });

  it("says nothing of writes that change nothing, and of other namespaces", async (given) => {
    const { api, namespace, signal } = given;
    const { resourceVersion } = await api.list(configMaps, { namespace }, signal);
    const watch = follow(given, { resourceVersion });
    await put(given, "a", "1");
    await put(given, "a", "1");
    await put({ ...given, namespace: "default" }, namespace);
    await api.remove(configMaps, { namespace: "default", name: namespace }, signal);
    await put(given, "b");
    assert.deepEqual(await watch.told(2), ["added a 1", "added b -"]);
    await watch.stop();
  });

  it("goes on where another watch ended, without a gap and without repeating", async (given) => {
    const { api, namespace, signal } = given;
    const { resourceVersion } = await api.list(configMaps, { namespace }, signal);
    const first = follow(given, { resourceVersion });
    await put(given, "a");
    const [event] = await first.events(1);
    await first.stop();
    await put(given, "b");
    await api.remove(configMaps, { namespace, name: "a" }, signal);
    const last = event?.kind === "added" ? (event.object.metadata.resourceVersion ?? "") : "";
    const second = follow(given, { resourceVersion: last });
    assert.deepEqual(await second.told(2), ["added b -", "deleted a -"]);
    await second.stop();
  });
}

function selectionTests(it: SuiteIt): void {
  it("tells of objects that begin or cease to be selected", async (given) => {
    const { api, namespace, signal } = given;
    const metadata = { namespace, name: "a" };
    const { resourceVersion } = await api.list(configMaps, { namespace }, signal);
    const watch = follow(given, { resourceVersion, labelSelector: "chosen=yes" });
    await api.create(configMaps, { metadata }, signal);
    await api.mergePatch(configMaps, { ...metadata, patch: { metadata: { labels: { chosen: "yes" } } } }, signal);
    await api.mergePatch(configMaps, { ...metadata, patch: { data: { text: "1" } } }, signal);
    await api.mergePatch(configMaps, { ...metadata, patch: { metadata: { labels: null } } }, signal);
    assert.deepEqual(await watch.told(3), ["added a -", "modified a 1", "deleted a 1"]);
    await watch.stop();
  });
}

function endTests(it: SuiteIt): void {
  it(
    "ends a watch in time, and as no failure",
    async ({ api, namespace, signal }) => {
      const { resourceVersion } = await api.list(configMaps, { namespace }, signal);
      for await (const event of api.watch(configMaps, { namespace, resourceVersion }, signal)) {
        assert.equal(event.kind, "bookmark");
      }
    },
    { watchSeconds: 1 },
  );

  it(
    "says how far it has told before it ends",
    async (given) => {
      const { api, namespace, signal } = given;
      const { resourceVersion } = await api.list(configMaps, { namespace }, signal);
      const told: string[] = [];
      for await (const event of api.watch(configMaps, { namespace, resourceVersion }, signal)) {
        if (told.length === 0) await put({ ...given, namespace: "default" }, namespace);
        assert.equal(event.kind, "bookmark");
        if (event.kind === "bookmark") told.push(event.resourceVersion);
      }
      await api.remove(configMaps, { namespace: "default", name: namespace }, signal);
      assert.equal(told[0], resourceVersion);
      assert.ok(BigInt(told.at(-1) ?? 0) > BigInt(resourceVersion));
    },
    { watchSeconds: 4 },
  );

  it("stops with the reason of the signal", async ({ api, namespace, signal }) => {
    const stop = new AbortController();
    const { resourceVersion } = await api.list(configMaps, { namespace }, signal);
    const watch = api.watch(configMaps, { namespace, resourceVersion }, stop.signal)[Symbol.asyncIterator]();
    await watch.next();
    const next = watch.next();
    stop.abort("enough");
    await assert.rejects(next, (reason) => reason === "enough");
  });
}

function mirrorTests(it: SuiteIt): void {
  it("can be mirrored", async (given) => {
    const { api, namespace, signal } = given;
    await put(given, "a", "1");
    const stop = new AbortController();
    const pick = ({ data }: ConfigMap): string => data?.text ?? "-";
    const copy = mirror(
      api,
      { resource: configMaps, query: { namespace }, pick },
      { clock: systemClock, random: Math.random },
    );
    assert.equal(copy.synced(), false);
    const running = copy.task.run(stop.signal);
    await eventually(async () => (copy.synced() && copy.get({ namespace, name: "a" }) === "1") || undefined);
    await put(given, "a", "2");
    await put(given, "b", "3");
    await eventually(async () => [...copy.values()].join() === "2,3" || undefined);
    await api.remove(configMaps, { namespace, name: "a" }, signal);
    await eventually(async () => [...copy.values()].join() === "3" || undefined);
    stop.abort();
    await running;
    assert.equal(copy.synced(), false);
  });
}

async function put({ api, namespace, signal }: SuiteTest, name: string, text?: string): Promise<void> {
  const object = { metadata: { namespace, name }, ...(text === undefined ? {} : { data: { text } }) };
  const before = await api.read(configMaps, { namespace, name }, signal);
  await (before === undefined ? api.create(configMaps, object, signal) : api.replace(configMaps, object, signal));
}

type Following = {
  next(): Promise<WatchEvent<ConfigMap> | undefined>;
  /** The next events but bookmarks. */
  events(count: number): Promise<readonly WatchEvent<ConfigMap>[]>;
  /** The same in short. */
  told(count: number): Promise<readonly string[]>;
  stop(): Promise<void>;
};

function follow(
  { api, namespace }: SuiteTest,
  query: { readonly resourceVersion: string; readonly labelSelector?: string },
): Following {
  const stop = new AbortController();
  const watch = api.watch(configMaps, { namespace, ...query }, stop.signal)[Symbol.asyncIterator]();
  const next = async (): Promise<WatchEvent<ConfigMap> | undefined> => {
    const { done, value } = await watch.next();
    return done === true ? undefined : value;
  };
  async function events(count: number): Promise<readonly WatchEvent<ConfigMap>[]> {
    const found: WatchEvent<ConfigMap>[] = [];
    while (found.length < count) {
      const event = await next();
      if (event === undefined) break;
      if (event.kind !== "bookmark") found.push(event);
    }
    return found;
  }
  return {
    next,
    events,
    async told(count) {
      return (await events(count)).map((event) =>
        event.kind === "bookmark"
          ? "bookmark"
          : `${event.kind} ${event.object.metadata.name} ${event.object.data?.text ?? "-"}`,
      );
    },
    async stop() {
      stop.abort();
      await watch.return?.();
    },
  };
}

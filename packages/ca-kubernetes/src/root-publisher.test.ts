import { type ConfigMap, resources } from "@signet/kubernetes";
import { type FakeCluster, type FakeRequest, fakeKubernetes } from "@signet/kubernetes/testing";
import { createSource, type Publisher } from "@signet/runtime";
import { FakeClock, seededRandom } from "@signet/runtime/testing";
import { parseTrustBundle, type TrustBundle } from "@signet/x509";
import { testRoot } from "@signet/x509/testing";
import { afterEach, describe, expect, it } from "vitest";
import { createRootPublisher } from "./root-publisher.ts";
import type { RootPublisherOptions } from "./root-publishing.ts";
import { driveUntil } from "./testing/drive.ts";
import { recordEvents } from "./testing/record-events.ts";

const { configMaps, namespaces } = resources;
const rootConfigMap = "istio-ca-root-cert";
const crlConfigMap = "istio-ca-crl";
const root = await testRoot();
const nextRoot = await testRoot({ trustDomain: "next" });
const stop: AbortController[] = [];

afterEach(() => {
  for (const controller of stop.splice(0)) controller.abort();
});

/** A cluster with the namespaces of Kubernetes itself, and those named. */
function newCluster(names: readonly string[] = []) {
  const clock = new FakeClock(new Date("2026-11-22T12:00:00Z"));
  const { api, cluster } = fakeKubernetes({ clock });
  for (const name of names) cluster.put(namespaces, { metadata: { name } });
  return { clock, api, cluster };
}

type TestCluster = ReturnType<typeof newCluster>;

/** One replica of the publisher, running. */
function replica(test: TestCluster, options: Partial<RootPublisherOptions> = {}, seed = 1) {
  const controller = new AbortController();
  stop.push(controller);
  const events = recordEvents();
  const trustBundle: Publisher<TrustBundle> = createSource(parseTrustBundle(root.pem));
  const all = { api: test.api, trustBundle, rootConfigMap, crlConfigMap, ...options };
  const publisher = createRootPublisher(all, { clock: test.clock, random: seededRandom(seed), events });
  publisher.task.run(controller.signal).catch(() => {});
  return { ...publisher, events, trustBundle };
}

function rootIn({ cluster }: TestCluster, namespace: string, name = rootConfigMap): ConfigMap | undefined {
  return cluster.get(configMaps, { namespace, name });
}

function placesOf({ cluster }: TestCluster, name = rootConfigMap): readonly (string | undefined)[] {
  return cluster
    .all(configMaps)
    .filter(({ metadata }) => metadata.name === name)
    .map(({ metadata }) => metadata.namespace);
}

const isWrite = ({ method }: FakeRequest): boolean => method !== "GET";

function writesOf(cluster: FakeCluster): number {
  return cluster.requests.filter(isWrite).length;
}

async function settled(test: TestCluster, publisher: { status(): { pending: number; namespaces: number } }) {
  await driveUntil(test.clock, () => publisher.status().namespaces > 0 && publisher.status().pending === 0);
  await test.clock.advance(2_000);
}

describe("createRootPublisher", () => {
  it("publishes the root to every namespace but three of Kubernetes itself and those that are going", async () => {
    const test = newCluster(["demo", "istio-system", "local-path-storage"]);
    test.cluster.put(namespaces, { metadata: { name: "going" }, status: { phase: "Terminating" } });
    const deletionTimestamp = "2026-11-22T11:59:59Z";
    test.cluster.put(namespaces, { metadata: { name: "gone soon", deletionTimestamp }, status: { phase: "Active" } });
    const publisher = replica(test);
    await settled(test, publisher);
    expect(placesOf(test)).toEqual(["default", "demo", "istio-system", "kube-system"]);
    expect(rootIn(test, "demo")).toMatchObject({
      metadata: { labels: { "istio.io/config": "true" } },
      data: { "root-cert.pem": root.pem },
    });
    expect(publisher.status()).toEqual({
      ...{ namespaces: 4, pending: 0, created: 4 },
      ...{ corrected: 0, failed: 0, passedOver: 0 },
    });
  });

  it("publishes to a namespace that is made later, and to none that is being deleted", async () => {
    const test = newCluster();
    const publisher = replica(test);
    await settled(test, publisher);
    test.cluster.put(namespaces, { metadata: { name: "later" } });
    await driveUntil(test.clock, () => rootIn(test, "later") !== undefined);
    test.cluster.put(namespaces, { metadata: { name: "later" }, status: { phase: "Terminating" } });
    await test.clock.advance(1_000);
    test.cluster.delete(configMaps, { namespace: "later", name: rootConfigMap });
    await test.clock.advance(60_000);
    expect(rootIn(test, "later")).toBeUndefined();
  });

  it("makes a deleted ConfigMap anew", async () => {
    const test = newCluster(["demo"]);
    await settled(test, replica(test));
    test.cluster.delete(configMaps, { namespace: "demo", name: rootConfigMap });
    await driveUntil(test.clock, () => rootIn(test, "demo") !== undefined);
  });

  it.each<[string, (map: ConfigMap) => ConfigMap["data"]]>([
    ["another root", () => ({ "root-cert.pem": nextRoot.pem, other: "kept" })],
    ["a further root", () => ({ "root-cert.pem": root.pem + nextRoot.pem, other: "kept" })],
    [
      "a private key",
      () => ({ "root-cert.pem": `${root.pem}-----BEGIN X-----\nAAAA\n-----END X-----\n`, other: "kept" }),
    ],
    ["no PEM", () => ({ "root-cert.pem": "none", other: "kept" })],
    ["no root", () => ({ other: "kept" })],
  ])("puts right a ConfigMap with %s, and leaves other keys and labels alone", async (_, edit) => {
    const test = newCluster(["demo"]);
    const publisher = replica(test);
    await settled(test, publisher);
    const map = rootIn(test, "demo");
    if (map === undefined) throw new Error("nothing was published");
    const metadata = { ...map.metadata, labels: { mine: "kept" } };
    test.cluster.put(configMaps, { ...map, metadata, data: edit(map) ?? {} });
    await driveUntil(test.clock, () => rootIn(test, "demo")?.data?.["root-cert.pem"] === root.pem);
    expect(rootIn(test, "demo")).toMatchObject({ metadata: { labels: { mine: "kept" } }, data: { other: "kept" } });
    expect(publisher.status().corrected).toBe(1);
  });

  it("writes nothing where all is well", async () => {
    const test = newCluster(["demo"]);
    await settled(test, replica(test));
    const before = writesOf(test.cluster);
    await settled(test, replica(test));
    await test.clock.advance(3_600_000);
    expect(writesOf(test.cluster)).toBe(before);
  });

  it("takes the same roots in another order and with comments for right", async () => {
    const test = newCluster(["demo"]);
    const text = `# two roots\n${nextRoot.pem}\n${root.pem}`;
    test.cluster.put(configMaps, {
      metadata: { namespace: "demo", name: rootConfigMap },
      data: { "root-cert.pem": text },
    });
    const trustBundle = createSource(parseTrustBundle(root.pem + nextRoot.pem));
    await settled(test, replica(test, { trustBundle }));
    expect(rootIn(test, "demo")?.data?.["root-cert.pem"]).toBe(text);
  });

  it("publishes a new bundle everywhere", async () => {
    const test = newCluster(["demo"]);
    const publisher = replica(test);
    await settled(test, publisher);
    const both = root.pem + nextRoot.pem;
    publisher.trustBundle.publish(parseTrustBundle(both));
    await driveUntil(test.clock, () => placesOf(test).every((name = "") => textIn(test, name) === both));
    expect(publisher.status().corrected).toBe(3);
  });

  it("waits for a bundle", async () => {
    const test = newCluster(["demo"]);
    const trustBundle = createSource<TrustBundle>();
    replica(test, { trustBundle });
    await test.clock.advance(10_000);
    expect(placesOf(test)).toEqual([]);
    trustBundle.publish(parseTrustBundle(root.pem));
    await driveUntil(test.clock, () => placesOf(test).length === 3);
  });

  it("publishes to the watched namespaces only, and to those that are selected only", async () => {
    const watched = newCluster(["demo", "other"]);
    replica(watched, { watchNamespaces: ["demo", "missing"] });
    await watched.clock.advance(10_000);
    expect(placesOf(watched)).toEqual(["demo"]);
    watched.cluster.put(namespaces, { metadata: { name: "missing" } });
    await driveUntil(watched.clock, () => placesOf(watched).length === 2);

    const selected = newCluster(["demo"]);
    selected.cluster.put(namespaces, { metadata: { name: "labelled", labels: { mesh: "yes" } } });
    replica(selected, { selects: ({ metadata }) => metadata.labels?.mesh === "yes" });
    await selected.clock.advance(10_000);
    expect(placesOf(selected)).toEqual(["labelled"]);
  });
});

function textIn(test: TestCluster, namespace: string): string | undefined {
  return rootIn(test, namespace)?.data?.["root-cert.pem"];
}

describe("the pace of a root publisher", () => {
  it("is bounded", async () => {
    const names = Array.from({ length: 100 }, (_, index) => `ns-${index}`);
    const test = newCluster(names);
    const publisher = replica(test, { writesPerSecond: 5 });
    await driveUntil(test.clock, () => publisher.status().created > 0);
    await test.clock.advance(10_000);
    expect(writesOf(test.cluster)).toBeGreaterThan(40);
    expect(writesOf(test.cluster)).toBeLessThanOrEqual(60);
    await driveUntil(test.clock, () => placesOf(test).length === 102);
    expect(publisher.status().created).toBe(102);
  });

  it("is spent on what another replica has not done meanwhile", async () => {
    const test = newCluster(Array.from({ length: 20 }, (_, index) => `ns-${index}`));
    const replicas = [replica(test, { writesPerSecond: 1 }, 1), replica(test, { writesPerSecond: 1 }, 2)];
    await driveUntil(test.clock, () => placesOf(test).length === 22);
    await test.clock.advance(60_000);
    expect(replicas.reduce((sum, { status }) => sum + status().passedOver, 0)).toBeLessThan(5);
  });

  it("slows down where somebody else keeps writing, and says so once", async () => {
    const test = newCluster(["demo"]);
    const publisher = replica(test);
    await settled(test, publisher);
    const before = writesOf(test.cluster);
    const startedAt = test.clock.now().getTime();
    while (test.clock.now().getTime() < startedAt + 600_000) {
      if (textIn(test, "demo") === root.pem) {
        const metadata = { namespace: "demo", name: rootConfigMap };
        test.cluster.put(configMaps, { metadata, data: { "root-cert.pem": nextRoot.pem } });
      }
      await test.clock.advance(100);
    }
    expect(writesOf(test.cluster) - before).toBeLessThan(20);
    expect(publisher.events.all).toEqual([
      { name: "contested", event: { namespace: "demo", configMap: rootConfigMap } },
    ]);
    await driveUntil(test.clock, () => textIn(test, "demo") === root.pem);
  });

  it("leaves nothing to do for a second replica, and no two with the same roots fight", async () => {
    const test = newCluster(["demo"]);
    const replicas = [replica(test, {}, 1), replica(test, {}, 2), replica(test, {}, 3)];
    await test.clock.advance(10_000);
    for (let round = 0; round < 5; round++) {
      test.cluster.put(namespaces, { metadata: { name: `round-${round}` } });
      await test.clock.advance(10_000);
      test.cluster.delete(configMaps, { namespace: "demo", name: rootConfigMap });
      await test.clock.advance(300_000);
    }
    const before = writesOf(test.cluster);
    await test.clock.advance(3_600_000);
    expect(writesOf(test.cluster)).toBe(before);
    expect(placesOf(test)).toHaveLength(8);
    const created = replicas.reduce((sum, { status }) => sum + status().created, 0);
    expect(created).toBe(8 + 5);
    for (const { status, events } of replicas)
      expect([status().corrected, status().failed, events.all]).toEqual([0, 0, []]);
  });
});

describe("a root publisher in trouble", () => {
  it.each([
    [409, "AlreadyExists"],
    [404, "NotFound"],
    [403, "Forbidden"],
  ])("passes over a ConfigMap that cannot be made with %i, and counts it", async (status, reason) => {
    const test = newCluster(["demo"]);
    const only = ({ method, path }: FakeRequest): boolean => method === "POST" && path.includes("/demo/");
    test.cluster.setFault({ kind: "status", status, reason, only });
    const publisher = replica(test);
    await driveUntil(test.clock, () => publisher.status().passedOver === 1);
    await test.clock.advance(5_000);
    expect(publisher.status()).toMatchObject({ created: 2, failed: 0, passedOver: 1 });
    expect(publisher.events.all).toEqual([]);
  });

  it("says so when a namespace that stays is forbidden, and goes on trying", async () => {
    const test = newCluster(["demo"]);
    const only = ({ method, path }: FakeRequest): boolean => method === "POST" && path.includes("/demo/");
    test.cluster.setFault({ kind: "status", status: 403, reason: "Forbidden", only });
    const publisher = replica(test);
    await driveUntil(test.clock, () => publisher.events.all.length > 0);
    expect(publisher.events.all[0]).toMatchObject({
      name: "publishFailed",
      event: { namespace: "demo", configMap: rootConfigMap, error: { code: "forbidden" } },
    });
    test.cluster.setFault(undefined);
    await driveUntil(test.clock, () => rootIn(test, "demo") !== undefined);
  });

  it.each([
    ["status 500", { kind: "status", status: 500 }],
    ["silence", { kind: "half-open" }],
    ["garbage", { kind: "garbage" }],
  ] as const)("tries again after %s, with growing waits", async (_, fault) => {
    const test = newCluster(["demo"]);
    test.cluster.setFault({ ...fault, only: isWrite });
    const publisher = replica(test);
    const startedAt = test.clock.now().getTime();
    await driveUntil(test.clock, () => publisher.status().failed >= 12);
    expect(test.clock.now().getTime() - startedAt).toBeGreaterThan(2_000);
    expect(test.clock.now().getTime() - startedAt).toBeLessThan(300_000);
    test.cluster.setFault(undefined);
    await driveUntil(test.clock, () => placesOf(test).length === 3);
  });

  it("writes nothing from a copy that cannot be believed", async () => {
    const test = newCluster(["demo"]);
    const publisher = replica(test);
    await settled(test, publisher);
    const before = writesOf(test.cluster);
    test.cluster.setFault({ kind: "status", status: 503, only: ({ method }) => method === "GET" });
    test.cluster.breakWatches("cut");
    await test.clock.advance(120_000);
    publisher.trustBundle.publish(parseTrustBundle(root.pem + nextRoot.pem));
    await test.clock.advance(60_000);
    expect(writesOf(test.cluster)).toBe(before);
    test.cluster.setFault(undefined);
    await driveUntil(test.clock, () => textIn(test, "demo") === root.pem + nextRoot.pem);
  });

  it("finds what was deleted while the API server was away", async () => {
    const test = newCluster(["demo"]);
    await settled(test, replica(test));
    test.cluster.setFault({ kind: "reset" });
    test.cluster.breakWatches("cut");
    test.cluster.delete(configMaps, { namespace: "demo", name: rootConfigMap });
    test.cluster.put(namespaces, { metadata: { name: "meanwhile" } });
    test.cluster.forgetHistory();
    await test.clock.advance(120_000);
    test.cluster.setFault(undefined);
    await driveUntil(test.clock, () => placesOf(test).length === 4);
  });
});

describe("revocation lists", () => {
  it("are published where there are any, emptied when withdrawn, and never made empty", async () => {
    const test = newCluster(["demo"]);
    const revocationLists = createSource<string>();
    replica(test, { revocationLists });
    await driveUntil(test.clock, () => placesOf(test).length === 3);
    expect(placesOf(test, crlConfigMap)).toEqual([]);
    revocationLists.publish("CRL 1");
    await driveUntil(test.clock, () => placesOf(test, crlConfigMap).length === 3);
    expect(rootIn(test, "demo", crlConfigMap)).toMatchObject({
      metadata: { labels: { "istio.io/config": "true" } },
      data: { "ca-crl.pem": "CRL 1" },
    });
    revocationLists.publish("");
    await driveUntil(test.clock, () => rootIn(test, "demo", crlConfigMap)?.data?.["ca-crl.pem"] === "");
    test.cluster.put(namespaces, { metadata: { name: "later" } });
    await driveUntil(test.clock, () => rootIn(test, "later") !== undefined);
    await test.clock.advance(10_000);
    expect(rootIn(test, "later", crlConfigMap)).toBeUndefined();
  });

  it("leave an older ConfigMap alone where the CA has none", async () => {
    const test = newCluster(["demo"]);
    const metadata = { namespace: "demo", name: crlConfigMap };
    test.cluster.put(configMaps, { metadata, data: { "ca-crl.pem": "old" } });
    await settled(test, replica(test, { revocationLists: createSource<string>() }));
    expect(rootIn(test, "demo", crlConfigMap)?.data).toEqual({ "ca-crl.pem": "old" });
  });
});

import { resources } from "@signet/kubernetes";
import type { FakeRequest } from "@signet/kubernetes/testing";
import { parseTrustBundle } from "@signet/x509";
import { afterEach, describe, expect, it } from "vitest";
import { driveUntil } from "./testing/drive.ts";
import {
  endAll,
  isWrite,
  newCluster,
  nextRoot,
  placesOf,
  replica,
  root,
  rootConfigMap,
  rootIn,
  settled,
  textIn,
  writesOf,
} from "./testing/publisher-fixture.ts";

const { configMaps, namespaces } = resources;

afterEach(endAll);

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

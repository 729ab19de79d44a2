import { type ConfigMap, resources } from "@signet/kubernetes";
import { createSource } from "@signet/runtime";
import { parseTrustBundle, type TrustBundle } from "@signet/x509";
import { afterEach, describe, expect, it } from "vitest";
import { driveUntil } from "./testing/drive.ts";
import {
  crlConfigMap,
  endAll,
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

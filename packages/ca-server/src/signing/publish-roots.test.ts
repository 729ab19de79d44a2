import { resources } from "@signet/kubernetes";
import { fakeKubernetes } from "@signet/kubernetes/testing";
import { createSource } from "@signet/runtime";
import { FakeClock } from "@signet/runtime/testing";
import type { TrustBundle } from "@signet/x509";
import { testRoot } from "@signet/x509/testing";
import { describe, expect, it } from "vitest";
import { parseCaServerSettings } from "../settings.ts";
import { joinTrustBundles, publishRoots } from "./publish-roots.ts";

const [one, two] = [(await testRoot()).trustBundle, (await testRoot()).trustBundle];
const settle = () => new Promise((resolve) => setImmediate(resolve));

describe("joined trust bundles", () => {
  it("have nothing before the first is known, and then the authorities of both, each once", async () => {
    const [first, second] = [createSource<TrustBundle>(), createSource<TrustBundle>()];
    const { trustBundle, task } = joinTrustBundles(first, second, { needsFirst: true });
    const stop = new AbortController();
    const running = task.run(stop.signal);
    second.publish(two);
    await settle();
    expect(trustBundle.current()).toBeUndefined();
    first.publish(one);
    await settle();
    expect(trustBundle.current()?.authorities.map(({ der }) => der)).toEqual(
      [...one.authorities, ...two.authorities].map(({ der }) => der),
    );
    expect(trustBundle.current()?.pem.startsWith(one.pem)).toBe(true);
    second.publish(one);
    await settle();
    expect(trustBundle.current()).toBe(one);
    stop.abort();
    await running;
  });
});

describe("joined trust bundles of which the first may never be known", () => {
  it("have the second until it is", async () => {
    const [first, second] = [createSource<TrustBundle>(), createSource<TrustBundle>()];
    const { trustBundle, task } = joinTrustBundles(first, second, { needsFirst: false });
    const stop = new AbortController();
    const running = task.run(stop.signal);
    second.publish(two);
    await settle();
    expect(trustBundle.current()).toBe(two);
    first.publish(one);
    await settle();
    expect(trustBundle.current()?.authorities).toHaveLength(2);
    stop.abort();
    await running;
  });
});

describe("published roots", () => {
  it("are those of workloads and of the server itself, in every namespace", async () => {
    const clock = new FakeClock();
    const { api, cluster } = fakeKubernetes({ clock });
    cluster.put(resources.namespaces, { metadata: { name: "demo" }, status: { phase: "Active" } });
    const parsed = parseCaServerSettings({ env: {}, args: [] });
    if (parsed.kind !== "settings") throw new Error("bad settings");
    const events = { publishFailed: () => {}, contested: () => {} };
    const tasks = publishRoots(
      parsed.settings,
      { trustBundle: createSource(one), servingRoots: createSource(two), revocationLists: createSource("crl") },
      { api, clock, random: () => 0.5, events },
    );
    const stop = new AbortController();
    const running = Promise.allSettled(tasks.map((task) => task.run(stop.signal)));
    await clock.advance(5_000);
    const published = cluster.get(resources.configMaps, { namespace: "demo", name: "istio-ca-root-cert" });
    expect(published?.data?.["root-cert.pem"]).toContain(one.pem.trim());
    expect(published?.data?.["root-cert.pem"]).toContain(two.pem.trim());
    const lists = cluster.get(resources.configMaps, { namespace: "demo", name: "istio-ca-crl" });
    expect(lists?.data?.["ca-crl.pem"]).toBe("crl");
    stop.abort();
    await running;
  });
});

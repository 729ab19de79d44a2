import type { ClusterSource, KubernetesApi } from "@signet/kubernetes";
import { KubernetesError, resources } from "@signet/kubernetes";
import { type FakeCluster, fakeKubernetes } from "@signet/kubernetes/testing";
import { FakeClock } from "@signet/runtime/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { followRemoteClusters, type RemoteClusters } from "./remote-clusters.ts";

const namespace = "istio-system";
const labels = { "istio/multiCluster": "true" };

let clock: FakeClock;
let cluster: FakeCluster;
let api: KubernetesApi;
let events: string[];
/** Texts of kubeconfigs whose connections are open. */
let open: string[];
let stop: AbortController;
let running: Promise<unknown>;
let remotes: RemoteClusters;

beforeEach(() => {
  clock = new FakeClock();
  ({ cluster, api } = fakeKubernetes({ clock }));
  events = [];
  open = [];
  stop = new AbortController();
  remotes = followRemoteClusters(
    {
      ...{ api, namespace, ownClusterId: "Kubernetes" },
      policy: { verification: "review", audiences: ["istio-ca"], reviewCacheTtlMs: 0, followPods: true },
    },
    {
      clock,
      random: () => 0.5,
      connect,
      events: {
        keys: { fetched: () => {}, fetchFailed: () => {} },
        synced: () => {},
        failed: (event) => void events.push(`failed ${event.collection} of ${event.cluster}`),
        connected: (event) => void events.push(`connected ${event.cluster} by ${event.secret}`),
        removed: (event) => void events.push(`removed ${event.cluster}`),
        refused: (event) => void events.push(`refused ${event.cluster} by ${event.secret}, kept ${event.kept}`),
      },
    },
  );
  running = remotes.task.run(stop.signal).catch(() => {});
});

afterEach(async () => {
  stop.abort();
  await running;
  expect(open).toEqual([]);
});

async function connect(source: ClusterSource): Promise<KubernetesApi> {
  if (source.kind !== "kubeconfig-text") throw new Error("not of a Secret");
  const { text } = source;
  if (text === "broken") throw new KubernetesError("config-invalid", "kubeconfig has no clusters");
  const remote = fakeKubernetes({ clock }).api;
  open.push(text);
  return {
    ...remote,
    close() {
      remote.close();
      open = open.filter((other) => other !== text);
    },
  };
}

function putSecret(name: string, kubeconfigs: Record<string, string>, withLabels: Record<string, string> = labels) {
  const data = Object.fromEntries(
    Object.entries(kubeconfigs).map(([id, text]) => [id, Buffer.from(text).toString("base64")]),
  );
  cluster.put(resources.secrets, { metadata: { namespace, name, labels: withLabels }, data });
}

async function settle(): Promise<void> {
  await clock.advance(1_000);
}

describe("remote clusters", () => {
  it("are those that labelled Secrets of our namespace name", async () => {
    putSecret("istio-remote-secret-east", { east: "e1", north: "n1" });
    putSecret("other", { west: "w1" }, {});
    cluster.put(resources.secrets, { metadata: { namespace: "demo", name: "x", labels }, data: { south: "czE=" } });
    expect(remotes.complete()).toBe(false);
    await settle();
    expect(remotes.complete()).toBe(true);
    expect(remotes.ids()).toEqual(["east", "north"]);
    expect(remotes.get("east")?.id).toBe("east");
    expect(remotes.get("west")).toBeUndefined();
    expect(open).toEqual(["e1", "n1"]);
  });

  it("come, change and go while we run, each by itself", async () => {
    await settle();
    putSecret("s1", { east: "e1" });
    putSecret("s2", { west: "w1" });
    await settle();
    const west = remotes.get("west");
    putSecret("s1", { east: "e2" });
    await settle();
    expect(open).toEqual(["w1", "e2"]);
    cluster.delete(resources.secrets, { namespace, name: "s1" });
    await settle();
    expect(remotes.ids()).toEqual(["west"]);
    expect(remotes.get("west")).toBe(west);
    expect(open).toEqual(["w1"]);
    expect(events).toEqual([
      ...["connected east by s1", "connected west by s2", "connected east by s1", "removed east"],
    ]);
  });

  it("that are broken touch no other, are told once, and work once they are mended", async () => {
    putSecret("s1", { east: "broken" });
    putSecret("s2", { west: "w1" });
    await settle();
    putSecret("s2", { west: "w1", north: "n1" });
    await settle();
    expect(remotes.ids()).toEqual(["west", "north"]);
    expect(events.filter((event) => event.startsWith("refused"))).toEqual(["refused east by s1, kept false"]);
    putSecret("s1", { east: "e1" });
    await settle();
    expect(remotes.get("east")).toBeDefined();
  });

  it("go on as they were when what they change to is broken", async () => {
    putSecret("s1", { east: "e1" });
    await settle();
    const before = remotes.get("east");
    putSecret("s1", { east: "broken" });
    await settle();
    expect(remotes.get("east")).toBe(before);
    expect(events.at(-1)).toBe("refused east by s1, kept true");
  });

  it("never take the name of our own", async () => {
    putSecret("s1", { Kubernetes: "evil", east: "e1" });
    await settle();
    expect(remotes.ids()).toEqual(["east"]);
    expect(open).toEqual(["e1"]);
    expect(events).toContain("refused Kubernetes by s1, kept false");
  });

  it("that two Secrets name are of the one whose name comes first", async () => {
    putSecret("b", { east: "b1" });
    putSecret("a", { east: "a1" });
    await settle();
    expect(open).toEqual(["a1"]);
    cluster.delete(resources.secrets, { namespace, name: "a" });
    await settle();
    expect(open).toEqual(["b1"]);
  });

  it("stay while the Secrets cannot be read, but then they may not be all", async () => {
    putSecret("s1", { east: "e1" });
    await settle();
    cluster.setFault({ kind: "status", status: 503 });
    cluster.breakWatches("cut");
    await clock.advance(120_000);
    expect(remotes.get("east")).toBeDefined();
    expect(remotes.complete()).toBe(false);
    expect(events).toContain("failed remote cluster secrets of Kubernetes");
    cluster.setFault(undefined);
    await clock.advance(60_000);
    expect(remotes.complete()).toBe(true);
  });
});

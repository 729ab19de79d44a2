import { type Pod, resources } from "@signet/kubernetes";
import { type FakeCluster, fakeKubernetes } from "@signet/kubernetes/testing";
import { FakeClock } from "@signet/runtime/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type FollowedPods, followPods } from "./pod-index.ts";

let clock: FakeClock;
let cluster: FakeCluster;
let pods: FollowedPods;
let stop: AbortController;
let running: Promise<unknown>;

beforeEach(() => {
  clock = new FakeClock();
  const fake = fakeKubernetes({ clock });
  cluster = fake.cluster;
  pods = followPods(fake.api, { clock, random: () => 0.5 });
  stop = new AbortController();
});

afterEach(async () => {
  stop.abort();
  await running;
});

async function follow(): Promise<void> {
  running = pods.task.run(stop.signal).catch(() => {});
  await settle();
}

async function settle(): Promise<void> {
  await clock.advance(1_000);
}

function putPod(
  name: string,
  about: { node?: string; account?: string; phase?: string; namespace?: string } = {},
): Pod {
  const { node = "node-1", account = "frontend", phase = "Running", namespace = "demo" } = about;
  return cluster.put(resources.pods, {
    metadata: { namespace, name },
    spec: { nodeName: node, serviceAccountName: account },
    status: { phase },
  });
}

const namesOn = (node: string, account = "frontend", namespace = "demo") =>
  pods.podsOn(node, namespace, account).map(({ name }) => name);

describe("the pod index", () => {
  it("is not ready before the first whole list", async () => {
    putPod("a");
    expect(pods.ready()).toBe(false);
    await follow();
    expect(pods.ready()).toBe(true);
  });

  it("knows pods by name and by node, namespace and account", async () => {
    const { metadata } = putPod("a");
    putPod("b");
    putPod("c", { node: "node-2" });
    putPod("d", { account: "backend" });
    putPod("e", { namespace: "other" });
    await follow();
    expect(pods.pod("demo", "a")).toEqual({
      ...{ namespace: "demo", name: "a", uid: metadata.uid, serviceAccount: "frontend" },
      ...{ nodeName: "node-1", phase: "Running" },
    });
    expect(pods.pod("other", "a")).toBeUndefined();
    expect(namesOn("node-1")).toEqual(["a", "b"]);
    expect(namesOn("node-2")).toEqual(["c"]);
    expect(namesOn("node-1", "backend")).toEqual(["d"]);
    expect(namesOn("node-1", "frontend", "other")).toEqual(["e"]);
  });

  it("follows pods that are placed, replaced and removed", async () => {
    await follow();
    putPod("a", { node: "", phase: "Pending" });
    await settle();
    expect(pods.pod("demo", "a")?.nodeName).toBe("");
    expect(namesOn("")).toEqual([]);
    putPod("a", { node: "node-1", phase: "Pending" });
    await settle();
    expect(namesOn("node-1")).toEqual(["a"]);
    putPod("a", { node: "node-2", account: "backend" });
    await settle();
    expect([namesOn("node-1"), namesOn("node-2", "backend")]).toEqual([[], ["a"]]);
    cluster.delete(resources.pods, { namespace: "demo", name: "a" });
    await settle();
    expect(namesOn("node-2", "backend")).toEqual([]);
    expect(pods.pod("demo", "a")).toBeUndefined();
  });

  it.each(["Succeeded", "Failed"])("forgets a pod that %s", async (phase) => {
    putPod("a");
    putPod("b", { phase });
    await follow();
    expect(namesOn("node-1")).toEqual(["a"]);
    putPod("a", { phase });
    await settle();
    expect(namesOn("node-1")).toEqual([]);
    expect(pods.pod("demo", "a")).toBeUndefined();
  });

  it("is not believed any more once the watch has been broken for a minute, and again when it is mended", async () => {
    putPod("a");
    await follow();
    cluster.setFault({ kind: "reset" });
    cluster.breakWatches("cut");
    await clock.advance(30_000);
    expect(pods.ready()).toBe(true);
    await clock.advance(60_000);
    expect(pods.ready()).toBe(false);
    cluster.setFault(undefined);
    await clock.advance(60_000);
    expect(pods.ready()).toBe(true);
  });
});

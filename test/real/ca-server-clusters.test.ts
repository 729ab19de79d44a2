import { access, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { poll } from "@signet/cli/testing";
import type { Channel } from "@signet/grpc";
import { resources } from "@signet/kubernetes";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Caller, type CallOutcome, callOnce, createCaller } from "../chaos/callers.ts";
import { kubeCaEnv, readSelfSignedRoot, throughPort } from "../chaos/kube-ca.ts";
import { createServiceAccountCallers } from "../chaos/kube-callers.ts";
import { startLoad } from "../chaos/load.ts";
import { type RunningCa, runCa } from "../chaos/running-ca.ts";
import { type CaCluster, prepareCaCluster } from "./ca-kubernetes-cluster.ts";
import { type Fault, type FaultProxy, startFaultProxy } from "./support/fault-proxy.ts";
import { type KubeObjects, kubeObjects } from "./support/kube-objects.ts";
import { findTestKube, type KubeServer } from "./support/kube-server.ts";

const kube = await findTestKube();
const { signal } = new AbortController();
const patience = { limitMs: 30_000 };

/** One of two clusters, of which the second is a stranger at first. */
type Side = {
  readonly server: KubeServer;
  readonly cluster: CaCluster;
  readonly objects: KubeObjects;
  readonly namespace: string;
  readonly caller: Caller;
};

describe.skipIf(kube.skippedOwn)(`a CA server and a second real cluster ${kube.skippedOwn}`, () => {
  let directory: string;
  let near: Side;
  let far: Side;
  let proxy: FaultProxy;
  let farKubeconfig: string;
  let ca: RunningCa;
  let channel: Channel;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "signet-real-"));
    [near, far] = await Promise.all([openSide(), openSide()]);
    proxy = await startFaultProxy({ port: Number(new URL(far.server.url).port) });
    farKubeconfig = throughPort(far.cluster.caServerKubeconfig, far.server, proxy.port);
    ca = await runCa({
      ...(await kubeCaEnv({ cluster: near.cluster, directory, namespace: near.cluster.namespace })),
      SIGNET_TOKEN_REVIEW_CACHE_TTL: "0s",
      CLUSTER_ID: "near",
      CLUSTER_ALIASES: "here=near,far-alias=far",
      CA_TRUSTED_NODE_ACCOUNTS: [near, far].map(({ namespace }) => `${namespace}/ztunnel`).join(),
    });
    channel = ca.connect(await readSelfSignedRoot(near.cluster));
    await ca.untilReady(200);
  });

  afterAll(async () => {
    await ca?.close();
    await proxy?.close();
    for (const side of [near, far]) {
      side?.cluster.admin.close();
      side?.cluster.caServer.close();
      await side?.server.close();
    }
    await rm(directory, { recursive: true, force: true });
  });

  async function openSide(): Promise<Side> {
    const server = await kube.start();
    const cluster = await prepareCaCluster(server);
    const objects = kubeObjects(server);
    const namespace = await objects.createNamespace("shop");
    const [caller] = await createServiceAccountCallers(objects, { namespace, count: 1 });
    if (caller === undefined) throw new Error("a side has nobody in it");
    return { server, cluster, objects, namespace, caller };
  }

  async function declare(name: string, kubeconfigs: Readonly<Record<string, string>>): Promise<void> {
    const data = Object.fromEntries(
      Object.entries(kubeconfigs).map(([id, text]) => [id, Buffer.from(text).toString("base64")]),
    );
    const labels = { "istio/multiCluster": "true" };
    const { namespace, admin } = near.cluster;
    const before = await admin.read(resources.secrets, { namespace, name }, signal);
    if (before === undefined) {
      await admin.create(resources.secrets, { metadata: { namespace, name, labels }, data }, signal);
    } else {
      await admin.replace(resources.secrets, { ...before, data }, signal);
    }
  }

  function ask({ caller }: Side, clusterId?: string): Promise<CallOutcome> {
    return callOnce(channel, { ...caller, ...(clusterId !== undefined && { headers: { clusterid: clusterId } }) });
  }

  async function kindOf(side: Side, clusterId?: string): Promise<string> {
    const { kind, wrong } = await ask(side, clusterId);
    return wrong ?? kind;
  }

  async function until(kind: CallOutcome["kind"], side: Side, clusterId?: string): Promise<void> {
    const look = async () => ((await kindOf(side, clusterId)) === kind ? true : undefined);
    await poll(look, { ...patience, what: `${kind} for cluster ${clusterId}` });
  }

  it("knows nobody of a cluster that it has not been told of", async () => {
    await until("issued", near);
    expect(await kindOf(near, "near")).toBe("issued");
    expect(await kindOf(near, "here")).toBe("issued");
    for (const id of ["far", "far-alias", "", "near ", "../far"]) expect(await kindOf(far, id)).toBe("UNAUTHENTICATED");
    expect(await kindOf(near, "far")).toBe("UNAUTHENTICATED");
    expect(await kindOf(far)).toBe("UNAUTHENTICATED");
  });

  it("takes up a cluster while it runs, by its ID and its aliases, beside kubeconfigs that are none", async () => {
    const trace = join(directory, "trace");
    await declare("a-remote", {
      far: farKubeconfig,
      broken: "{ not: [yaml",
      empty: "",
      program: withUser(farKubeconfig, {
        exec: { apiVersion: "client.authentication.k8s.io/v1", command: "touch", args: [trace] },
      }),
      file: withUser(farKubeconfig, { tokenFile: "/etc/hostname" }),
      plain: farKubeconfig.replace("https:", "http:"),
      near: farKubeconfig,
    });
    await until("issued", far, "far");
    expect(await kindOf(far, "far-alias")).toBe("issued");
    // Our own cluster is who it was, whatever a Secret says.
    expect(await kindOf(far, "near")).toBe("UNAUTHENTICATED");
    expect(await kindOf(far)).toBe("UNAUTHENTICATED");
    expect(await kindOf(near, "far")).toBe("UNAUTHENTICATED");
    expect(await kindOf(near, "here")).toBe("issued");
    for (const id of ["broken", "empty", "program", "file", "plain"]) {
      expect(await kindOf(far, id)).toBe("UNAUTHENTICATED");
    }
    const refused = ca.lines("remote cluster refused").map(({ cluster }) => cluster);
    expect(refused.toSorted()).toEqual(["broken", "empty", "file", "near", "plain", "program"]);
    await expect(access(trace)).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("lets node proxies of that cluster speak for its workloads, in it and by its names", async () => {
    const { objects, namespace } = far;
    const { name: nodeName } = await objects.createNode("node");
    await objects.createServiceAccount(namespace, "ztunnel");
    const proxyPod = await objects.createPod({ namespace, name: "proxy", serviceAccount: "ztunnel", nodeName });
    await objects.createPod({ namespace, name: "cart", serviceAccount: "cart", nodeName });
    const pod = { name: "proxy", uid: proxyPod.uid };
    const token = await objects.requestToken({ namespace, serviceAccount: "ztunnel", audiences: ["istio-ca"], pod });
    async function speakFor(workload: string, clusterId: string): Promise<string> {
      const spiffeId = `spiffe://cluster.local/ns/${workload}`;
      const metadata = { ImpersonatedIdentity: spiffeId };
      const headers = { clusterid: clusterId };
      const { kind, wrong } = await callOnce(
        channel,
        await createCaller({ spiffeId, token: () => token, metadata, headers }),
      );
      return wrong ?? kind;
    }
    const permitted = async () => ((await speakFor(`${namespace}/sa/cart`, "far")) === "issued" ? true : undefined);
    await poll(permitted, { ...patience, what: "the pods of the remote cluster" });
    expect(await speakFor(`${namespace}/sa/cart`, "far-alias")).toBe("issued");
    // Neither who is not there, nor anybody of the other cluster, nor under the other cluster's name.
    for (const [workload, clusterId] of [
      [`${namespace}/sa/nobody`, "far"],
      [`${near.namespace}/sa/workload-0`, "far"],
      [`${namespace}/sa/cart`, "near"],
      [`${namespace}/sa/cart`, "here"],
    ] as const) {
      expect(await speakFor(workload, clusterId)).toBe("UNAUTHENTICATED");
    }
  });

  it.each<Fault>([{ kind: "half-open" }, { kind: "reset" }, { kind: "garbage" }])(
    "serves its own cluster while the other is behind %j, and the other when that is over",
    async (fault) => {
      proxy.set(fault);
      const others = startLoad({ channels: [channel], callers: [at(far, "far")], concurrency: 8 });
      const own = startLoad({
        channels: [ca.connect(await readSelfSignedRoot(near.cluster))],
        callers: [near.caller],
        concurrency: 2,
      });
      await Promise.all([own.until("issued", 200), others.until("UNAVAILABLE", 8)]);
      const report = await own.stop();
      expect(report).toMatchObject({ wrong: [], counts: new Map([["issued", report.calls]]) });
      proxy.set({ kind: "pass" });
      others.take();
      await others.until("issued", 20);
      expect((await others.stop()).wrong).toEqual([]);
    },
  );

  it("follows the Secret: another way, one that leads nowhere, one that cannot be used, and none", async () => {
    const nowhere = throughPort(far.cluster.caServerKubeconfig, far.server, 9);
    await declare("a-remote", { far: nowhere });
    await until("UNAVAILABLE", far, "far");
    await declare("a-remote", { far: far.cluster.caServerKubeconfig });
    await until("issued", far, "far");
    const refusals = ca.lines("remote cluster refused").length;
    await declare("a-remote", { far: "not a kubeconfig" });
    await ca.untilLogged("remote cluster refused", refusals + 1);
    expect(await kindOf(far, "far-alias")).toBe("issued");
    // The first by name counts.
    await declare("b-remote", { far: nowhere });
    expect(await kindOf(far, "far")).toBe("issued");
    const { namespace, admin } = near.cluster;
    await admin.remove(resources.secrets, { namespace, name: "a-remote" }, signal);
    await until("UNAVAILABLE", far, "far");
    await admin.remove(resources.secrets, { namespace, name: "b-remote" }, signal);
    await until("UNAUTHENTICATED", far, "far");
    expect(await kindOf(far, "far-alias")).toBe("UNAUTHENTICATED");
    expect(await kindOf(near)).toBe("issued");
  });

  it("has said nothing of tokens and kubeconfigs in its log", () => {
    for (const { server, caller } of [near, far]) {
      expect(ca.stderr()).not.toContain(caller.token()?.slice(0, 60));
      expect(ca.stderr()).not.toContain(Buffer.from(server.caPem).toString("base64").slice(0, 60));
    }
  });
});

function at({ caller }: Side, clusterid: string): Caller {
  return { ...caller, headers: { clusterid } };
}

function withUser(kubeconfig: string, user: object): string {
  const config = JSON.parse(kubeconfig);
  return JSON.stringify({ ...config, users: config.users.map((one: object) => ({ ...one, user })) });
}

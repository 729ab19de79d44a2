import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { poll } from "@signet/cli/testing";
import type { Channel } from "@signet/grpc";
import { resources } from "@signet/kubernetes";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Caller } from "../chaos/callers.ts";
import { kubeCaEnv, readSelfSignedRoot, throughPort } from "../chaos/kube-ca.ts";
import { createServiceAccountCallers } from "../chaos/kube-callers.ts";
import { joinReports, kindsOf, startLoad } from "../chaos/load.ts";
import { type RunningCa, runCa } from "../chaos/running-ca.ts";
import { type CaCluster, prepareCaCluster } from "./ca-kubernetes-cluster.ts";
import { type Fault, type FaultProxy, startFaultProxy } from "./support/fault-proxy.ts";
import { kubeObjects } from "./support/kube-objects.ts";
import { findTestKube, type KubeServer } from "./support/kube-server.ts";

const kube = await findTestKube();
const { signal } = new AbortController();
/** What a server with all its calls in hand may hold. */
const mostMiB = 600;
/** No call may end later, and none has been ended by its client. */
const slowestMs = 40_000;

describe.skipIf(kube.skipped)(`a CA server and a bad wire to the API server ${kube.skipped}`, () => {
  let server: KubeServer;
  let cluster: CaCluster;
  let proxy: FaultProxy;
  let directory: string;
  let namespace: string;
  let env: Readonly<Record<string, string>>;
  let rootPem: string;
  let callers: readonly Caller[];
  let ca: RunningCa;
  let channels: readonly Channel[];

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "signet-real-"));
    server = await kube.start();
    cluster = await prepareCaCluster(server);
    const objects = kubeObjects(server);
    namespace = await objects.createNamespace("load");
    callers = await createServiceAccountCallers(objects, { namespace, count: 12 });
    const { hostname, port } = new URL(server.url);
    proxy = await startFaultProxy({ host: hostname, port: Number(port) });
    const kubeconfig = throughPort(cluster.caServerKubeconfig, server, proxy.port);
    env = {
      ...(await kubeCaEnv({ cluster, directory, namespace, kubeconfig })),
      SIGNET_TOKEN_REVIEW_CACHE_TTL: "0s",
      SIGNET_CREATE_CERTIFICATE_TIMEOUT: "12s",
    };
    ca = await runCa(env);
    rootPem = await readSelfSignedRoot(cluster);
    channels = [0, 1, 2, 3].map(() => ca.connect(rootPem));
    await ca.untilReady(200);
  });

  afterEach(async () => {
    proxy.set({ kind: "pass" });
    expect(ca.running()).toBe(true);
  });

  afterAll(async () => {
    await ca?.close();
    await proxy?.close();
    cluster?.admin.close();
    cluster?.caServer.close();
    await server?.close();
    await rm(directory, { recursive: true, force: true });
  });

  it.each<Fault>([
    { kind: "latency", ms: 100 },
    { kind: "half-open" },
    { kind: "reset" },
    { kind: "reset", afterBytes: 700 },
    { kind: "truncate", afterBytes: 700 },
    { kind: "garbage" },
  ])("issues nothing wrong with %j, ends every call, and recovers by itself", async (fault) => {
    const load = startLoad({ channels, callers, concurrency: 24 });
    await load.until("issued", 48);
    proxy.set(fault);
    load.take();
    const expected = fault.kind === "latency" ? "issued" : "UNAVAILABLE";
    await load.until(expected, 24);
    proxy.set({ kind: "pass" });
    const during = load.take();
    await load.until("issued", 48);
    const report = joinReports(during, await load.stop());
    expect(report.wrong).toEqual([]);
    expect(new Set(["issued", "UNAVAILABLE", ...kindsOf(report)])).toEqual(new Set(["issued", "UNAVAILABLE"]));
    expect(report.slowestMs).toBeLessThan(slowestMs);
    // It is the callers that cannot be known meanwhile; what signs is here.
    await ca.untilReady(200);
  });

  it.each<Fault>([{ kind: "half-open" }, { kind: "reset" }])(
    "puts right what was spoiled while the wire had %j",
    async (fault) => {
      const published = { namespace, name: cluster.rootConfigMap };
      const secret = { namespace: cluster.namespace, name: "istio-ca-secret" };
      const { admin } = cluster;
      async function untilRight(): Promise<void> {
        const look = async (): Promise<true | undefined> => {
          const map = await admin.read(resources.configMaps, published, signal);
          const right = map?.data?.["root-cert.pem"]?.trim() === rootPem.trim();
          return right && (await admin.read(resources.secrets, secret, signal)) !== undefined ? true : undefined;
        };
        await poll(look, { what: "the published root and the Secret", limitMs: 60_000 });
      }
      await untilRight();
      proxy.set(fault);
      await admin.mergePatch(resources.configMaps, { ...published, patch: { data: { "root-cert.pem": "" } } }, signal);
      await admin.remove(resources.secrets, secret, signal);
      proxy.set({ kind: "pass" });
      await untilRight();
      // The very same.
      expect(await readSelfSignedRoot(cluster)).toBe(rootPem);
    },
  );

  it("takes no more tokens than it has room for, however many are made up", async () => {
    proxy.set({ kind: "half-open" });
    let made = 0;
    const strangers = callers.map((caller) => ({ ...caller, token: () => `${caller.token()}${made++}` }));
    const many = startLoad({ channels, callers: strangers, concurrency: 2_000, once: true });
    // 128 are under way and 1024 wait.
    await ca.untilLogged("caller refused", 1);
    await many.until("UNAVAILABLE", 848, 60_000);
    expect(proxy.open).toBeLessThan(100);
    const report = await many.stop();
    expect(kindsOf(report)).toEqual(["UNAVAILABLE"]);
    expect(report.slowestMs).toBeLessThan(slowestMs);
    expect(ca.memory().nowMiB).toBeLessThan(mostMiB);
    expect(ca.stderr()).toContain('"reason":"overloaded"');
    proxy.set({ kind: "pass" });
    const again = startLoad({ channels, callers, concurrency: 12 });
    await again.until("issued", 24);
    expect((await again.stop()).wrong).toEqual([]);
  });

  it.each(["review", "local"])(
    "starts with a wire that says nothing, and serves when it does (%s)",
    async (verification) => {
      proxy.set({ kind: "half-open" });
      const late = await runCa({ ...env, SIGNET_KUBERNETES_TOKEN_VERIFICATION: verification });
      try {
        expect((await late.ready()).status).toBe(503);
        proxy.set({ kind: "reset" });
        proxy.set({ kind: "pass" });
        const load = startLoad({ channels: [late.connect(rootPem)], callers, concurrency: 4 });
        await load.until("issued", 12);
        expect((await load.stop()).wrong).toEqual([]);
      } finally {
        await late.close();
      }
    },
  );

  it("finds the API server again at once when what was open is dead and what is new is not", async () => {
    const many = startLoad({ channels, callers, concurrency: 96 });
    await many.until("issued", 192);
    await many.stop();
    proxy.abandon();
    const one = startLoad({ channels, callers, concurrency: 1 });
    // One deadline, and not one for each of the connections that were kept.
    await one.until("issued", 10, 20_000);
    expect((await one.stop()).wrong).toEqual([]);
  });
});

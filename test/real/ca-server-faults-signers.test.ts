import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createTestSigner, type TestSigner } from "@signet/ca-kubernetes/testing";
import { poll } from "@signet/cli/testing";
import type { Channel } from "@signet/grpc";
import { type CertificateSigningRequest, resources } from "@signet/kubernetes";
import { systemClock } from "@signet/runtime";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Caller, type CallOutcome, callOnce, rootsOf } from "../chaos/callers.ts";
import { kubeCaEnv, readSelfSignedRoot, throughPort } from "../chaos/kube-ca.ts";
import { joinReports, kindsOf, startLoad } from "../chaos/load.ts";
import { type RunningCa, runCa } from "../chaos/running-ca.ts";
import { createWorkloads } from "../chaos/workloads.ts";
import { type CertificateCall, type OidcIssuer, startOidcIssuer } from "../e2e/ca-server-fixture.ts";
import { type CaCluster, prepareCaCluster } from "./ca-kubernetes-cluster.ts";
import { type Fault, type FaultProxy, startFaultProxy } from "./support/fault-proxy.ts";
import { findTestKube, type KubeServer } from "./support/kube-server.ts";

const kube = await findTestKube();
const { signal } = new AbortController();
const { certificateSigningRequests } = resources;
/** What the server works for a call. */
const deadlineMs = 5_000;

describe.skipIf(kube.skipped)(`a CA server whose certificates the cluster signs ${kube.skipped}`, () => {
  const stop = new AbortController();
  let server: KubeServer;
  let cluster: CaCluster;
  let proxy: FaultProxy;
  let directory: string;
  let issuer: OidcIssuer;
  let mesh: TestSigner;
  let ca: RunningCa;
  let channel: Channel;
  let callers: readonly Caller[];

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "signet-real-"));
    server = await kube.start();
    cluster = await prepareCaCluster(server);
    issuer = await startOidcIssuer();
    [mesh] = await Promise.all([openSigner("mesh"), openSigner("other")]);
    const { hostname, port } = new URL(server.url);
    proxy = await startFaultProxy({ host: hostname, port: Number(port) });
    const kubeconfig = throughPort(cluster.caServerKubeconfig, server, proxy.port);
    ca = await runCa({
      ...(await kubeCaEnv({ cluster, directory, namespace: cluster.namespace, kubeconfig })),
      TOKEN_ISSUER: issuer.issuer,
      EXTERNAL_CA: "ISTIOD_RA_KUBERNETES_API",
      K8S_SIGNER: `${cluster.signerDomain}/mesh`,
      CERT_SIGNER_DOMAIN: cluster.signerDomain,
      SIGNET_CREATE_CERTIFICATE_TIMEOUT: `${deadlineMs}ms`,
    });
    channel = ca.connect(await readSelfSignedRoot(cluster));
    callers = await createWorkloads(issuer, { count: 6, csrs: "of their own" });
    await ca.untilReady(200);
  });

  afterEach(async () => {
    proxy.set({ kind: "pass" });
    mesh.setMood({ kind: "sign" });
    await ca.untilReady(200);
  });

  afterAll(async () => {
    stop.abort();
    await ca?.close();
    await proxy?.close();
    await issuer?.close();
    cluster?.admin.close();
    cluster?.caServer.close();
    await server?.close();
    await rm(directory, { recursive: true, force: true });
  });

  async function openSigner(name: string): Promise<TestSigner> {
    const signerName = `${cluster.signerDomain}/${name}`;
    const signer = await createTestSigner({
      ...{ api: cluster.admin, signerName, clock: systemClock, random: Math.random },
    });
    signer.task.run(stop.signal).catch(() => {});
    return signer;
  }

  async function untilNoRequestIsLeft(): Promise<void> {
    const look = async (): Promise<true | undefined> => {
      const { items } = await cluster.admin.list(certificateSigningRequests, {}, signal);
      return items.some(({ spec }) => spec.signerName.startsWith(cluster.signerDomain)) ? undefined : true;
    };
    await poll(look, { what: "a cluster without requests", limitMs: 60_000 });
  }

  async function ask(changes: Partial<CertificateCall> = {}): Promise<CallOutcome> {
    const [caller] = callers;
    if (caller === undefined) throw new Error("nobody calls");
    return await callOnce(channel, caller, changes);
  }

  it("has the signer sign that the settings name, or that a caller names", async () => {
    const byDefault = await ask();
    expect(byDefault).toMatchObject({ kind: "issued" });
    expect(byDefault.wrong).toBeUndefined();
    const named = await ask({ metadata: { CertSigner: "other" } });
    expect(named.wrong).toBeUndefined();
    const roots = (outcome: CallOutcome): readonly string[] =>
      outcome.answer.kind === "issued" ? rootsOf(outcome.answer.chain).map(({ fingerprint256 }) => fingerprint256) : [];
    expect(roots(byDefault)).toHaveLength(1);
    expect(roots(named)).toHaveLength(1);
    expect(roots(named)).not.toEqual(roots(byDefault));
  });

  it.each(["../mesh", "mesh/x", "m".repeat(600), "other example"])(
    "has nobody sign for a caller that names %j",
    async (CertSigner) => {
      expect(await ask({ metadata: { CertSigner } })).toMatchObject({ kind: "INTERNAL" });
    },
  );

  it("says so where a lifetime is less than Kubernetes signs for", async () => {
    expect(await ask({ validityDuration: 600n })).toMatchObject({ kind: "issued" });
    const refused = await ask({ validityDuration: 599n });
    expect(refused).toMatchObject({ kind: "INVALID_ARGUMENT" });
    expect(refused.answer).toMatchObject({ message: expect.stringMatching(/10m|600/) });
  });

  it("learns at once that a request was denied, or that a signer failed", async () => {
    proxy.set({ kind: "latency", ms: 150 });
    const denying = denyNext();
    const denied = await ask();
    expect(denied).toMatchObject({ kind: "INTERNAL" });
    expect(denied.durationMs).toBeLessThan(deadlineMs);
    await denying;
    proxy.set({ kind: "pass" });
    mesh.setMood({ kind: "fail" });
    expect(await ask()).toMatchObject({ kind: "INTERNAL" });
    mesh.setMood({ kind: "other-key" });
    expect(await ask()).toMatchObject({ kind: "INTERNAL" });
  });

  /** Denies a request before the CA server, whose wire is slower, can approve it. */
  async function denyNext(): Promise<void> {
    const { admin } = cluster;
    const { resourceVersion } = await admin.list(certificateSigningRequests, {}, signal);
    for await (const event of admin.watch(certificateSigningRequests, { resourceVersion }, signal)) {
      if (event.kind !== "added") continue;
      const target = { resource: certificateSigningRequests, subresource: "approval" } as const;
      await admin.replaceSubresource(target, denied(event.object), signal);
      return;
    }
  }

  it("gives up in time on a signer that is away, and takes no harm", async () => {
    mesh.setMood({ kind: "ignore" });
    const load = startLoad({ channels: [channel], callers, concurrency: 24 });
    await load.until("DEADLINE_EXCEEDED", 24);
    mesh.setMood({ kind: "sign" });
    const away = load.take();
    await load.until("issued", 24);
    expect(joinReports(away, await load.stop()).wrong).toEqual([]);
    await untilNoRequestIsLeft();
  });

  it.each<Fault>([
    { kind: "reset" },
    { kind: "truncate", afterBytes: 1_500 },
    // Last: what was asked for meanwhile comes into being late, and is deleted a minute and a half later.
    { kind: "half-open" },
  ])(
    "issues nothing wrong, ends every call, leaves nothing behind and recovers, with %j on the wire",
    async (fault) => {
      const load = startLoad({ channels: [channel], callers, concurrency: 12 });
      await load.until("issued", 12);
      load.take();
      proxy.set(fault);
      await load.until("any", 12);
      proxy.set({ kind: "pass" });
      const during = load.take();
      await load.until("issued", 12);
      const report = joinReports(during, await load.stop());
      expect(report.wrong).toEqual([]);
      const allowed = new Set(["issued", "UNAVAILABLE", "DEADLINE_EXCEEDED"]);
      expect(kindsOf(report).filter((kind) => !allowed.has(kind))).toEqual([]);
      if (fault.kind !== "half-open") await untilNoRequestIsLeft();
    },
  );
});

function denied(request: CertificateSigningRequest): CertificateSigningRequest {
  const condition = { type: "Denied", status: "True", reason: "TestOperator", message: "not today" };
  return { ...request, status: { ...request.status, conditions: [condition] } };
}

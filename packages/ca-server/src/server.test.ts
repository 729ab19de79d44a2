import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Channel, connect, Status, StatusError } from "@signet/grpc";
import { connectCluster, resources } from "@signet/kubernetes";
import { type FakeApiServer, startFakeApiServer } from "@signet/kubernetes/testing";
import { IstioCertificateService } from "@signet/protos/istio/security/v1alpha1/ca";
import { firstValue, formatHostPort, systemClock } from "@signet/runtime";
import { type FakeLogger, fakeLogger } from "@signet/runtime/testing";
import { parseSpiffeId } from "@signet/spiffe";
import { createCsr, generateKeyPair, parseCertificates } from "@signet/x509";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type CaServer, startCaServer } from "./server.ts";
import { parseCaServerSettings } from "./settings.ts";

const namespace = "istio-system";
const key = await generateKeyPair("P-256");
const csr = createCsr({ key, spiffeId: parseSpiffeId("spiffe://cluster.local/ns/any/sa/body") });

let signal: AbortSignal;
let directory: string;
let kubernetes: FakeApiServer;
let logger: FakeLogger;
let server: CaServer | undefined;
let channel: Channel | undefined;

beforeEach(async () => {
  signal = AbortSignal.timeout(28_000);
  directory = await mkdtemp(join(tmpdir(), "signet-server-"));
  kubernetes = await startFakeApiServer();
  kubernetes.cluster.put(resources.namespaces, { metadata: { name: namespace } });
  kubernetes.cluster.put(resources.namespaces, { metadata: { name: "demo" }, status: { phase: "Active" } });
  await writeFile(join(directory, "kubeconfig"), kubernetes.kubeconfig());
  logger = fakeLogger();
});

afterEach(async () => {
  channel?.close();
  await server?.stop();
  [server, channel] = [undefined, undefined];
  await kubernetes.stop();
  await rm(directory, { recursive: true, force: true });
});

async function start(env: Record<string, string> = {}): Promise<CaServer> {
  const parsed = parseCaServerSettings({
    env: {
      ...{
        SIGNET_CA_LISTEN: "127.0.0.1:0",
        SIGNET_HTTP_LISTEN: "127.0.0.1:0",
        SIGNET_MONITORING_LISTEN: "127.0.0.1:0",
      },
      ...{ SIGNET_SERVING_NAMES: "localhost,127.0.0.1", SIGNET_SELF_SIGNED_CA_KEY: "p256" },
      ...{ SIGNET_KUBECONFIG: join(directory, "kubeconfig"), ROOT_CA_DIR: join(directory, "cacerts") },
      ...env,
    },
    args: [],
  });
  if (parsed.kind !== "settings") throw new Error(JSON.stringify(parsed));
  const dependencies = { clock: systemClock, random: Math.random, randomBytes, logger, version: "0.0.0-test" };
  server = await startCaServer(parsed.settings, dependencies);
  return server;
}

async function until(condition: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await condition())) {
    signal.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function ask(token: string, options: { clusterId?: string; impersonate?: string } = {}) {
  if (server === undefined) throw new Error("no server");
  const { pem } = await firstValue(server.trustBundle, signal);
  channel ??= connect({ address: formatHostPort(server.addresses.ca), tls: { rootCertificatesPem: pem } });
  const { clusterId, impersonate } = options;
  try {
    const { certChain = [] } = await channel.unary(
      IstioCertificateService.method.createCertificate,
      {
        csr,
        validityDuration: 3600n,
        ...(impersonate !== undefined && { metadata: { ImpersonatedIdentity: impersonate } }),
      },
      {
        deadlineMs: 10_000,
        signal,
        metadata: { authorization: `Bearer ${token}`, ...(clusterId !== undefined && { clusterid: clusterId }) },
      },
    );
    const names = parseCertificates(certChain[0] ?? "")[0]?.subjectAltNames ?? [];
    return names.map((name) => ("value" in name ? name.value : name.kind)).join();
  } catch (error) {
    if (error instanceof StatusError) return error.code;
    throw error;
  }
}

/** A token of a pod of the cluster, minted by its TokenRequest. */
async function podToken(account: string, about: { namespace?: string; pod?: string } = {}): Promise<string> {
  const { namespace: of = "demo", pod = `${account}-1` } = about;
  kubernetes.cluster.put(resources.serviceAccounts, { metadata: { namespace: of, name: account } });
  const { metadata } = kubernetes.cluster.put(resources.pods, {
    metadata: { namespace: of, name: pod },
    spec: { nodeName: "node-1", serviceAccountName: account },
    status: { phase: "Running" },
  });
  const api = await connectCluster({ kind: "kubeconfig-text", text: kubernetes.kubeconfig() }, { clock: systemClock });
  const boundPod = { name: pod, uid: metadata.uid ?? "" };
  const request = {
    namespace: of,
    serviceAccount: account,
    audiences: ["istio-ca"],
    expirationSeconds: 3600,
    boundPod,
  };
  const { token } = await api.requestToken(request, signal).finally(() => api.close());
  return token;
}

describe("a CA server in a cluster", () => {
  it.each(["review", "local"])("issues to pods of the cluster by %s of their tokens", async (verification) => {
    const token = await podToken("frontend");
    await start({ SIGNET_KUBERNETES_TOKEN_VERIFICATION: verification });
    await until(async () => (await ask(token)) !== Status.UNAVAILABLE);
    expect(await ask(token)).toBe("spiffe://cluster.local/ns/demo/sa/frontend");
    expect(await ask(token, { clusterId: "Kubernetes" })).toBe("spiffe://cluster.local/ns/demo/sa/frontend");
    expect(await ask(kubernetes.cluster.signToken({ sub: "system:serviceaccount:demo:frontend" }))).toBe(
      Status.UNAUTHENTICATED,
    );
    await until(async () => (await ask(token, { clusterId: "mars" })) === Status.UNAUTHENTICATED);
    expect(await ask(token, { impersonate: "spiffe://cluster.local/ns/demo/sa/backend" })).toBe(Status.UNAUTHENTICATED);
  });

  it("lets a node proxy speak for the pods on its node", async () => {
    const proxy = await podToken("ztunnel", { namespace });
    await podToken("backend");
    await start({ CA_TRUSTED_NODE_ACCOUNTS: "istio-system/ztunnel" });
    const backend = "spiffe://cluster.local/ns/demo/sa/backend";
    await until(async () => (await ask(proxy, { impersonate: backend })) !== Status.UNAVAILABLE);
    expect(await ask(proxy, { impersonate: backend })).toBe(backend);
    expect(await ask(proxy, { impersonate: "spiffe://cluster.local/ns/demo/sa/other" })).toBe(Status.UNAUTHENTICATED);
    expect(await ask(proxy)).toBe("spiffe://cluster.local/ns/istio-system/sa/ztunnel");
  });

  it("knows remote clusters by the Secrets that name them, as soon as they are there", async () => {
    const token = await podToken("frontend");
    await start({ CLUSTER_ALIASES: "orient=east" });
    await until(async () => (await ask(token, { clusterId: "east" })) === Status.UNAUTHENTICATED);
    // The very same cluster, by another name.
    const data = { east: Buffer.from(kubernetes.kubeconfig()).toString("base64"), west: "YnJva2Vu" };
    const metadata = { namespace, name: "istio-remote-secret-east", labels: { "istio/multiCluster": "true" } };
    kubernetes.cluster.put(resources.secrets, { metadata, data });
    await until(async () => (await ask(token, { clusterId: "east" })) !== Status.UNAUTHENTICATED);
    expect(await ask(token, { clusterId: "orient" })).toBe("spiffe://cluster.local/ns/demo/sa/frontend");
    expect(await ask(token, { clusterId: "west" })).toBe(Status.UNAUTHENTICATED);
    kubernetes.cluster.delete(resources.secrets, { namespace, name: "istio-remote-secret-east" });
    await until(async () => (await ask(token, { clusterId: "east" })) === Status.UNAUTHENTICATED);
  });

  it("keeps its root in a Secret and publishes it to every namespace", async () => {
    const { trustBundle } = await start();
    const configMap = () =>
      kubernetes.cluster.get(resources.configMaps, { namespace: "demo", name: "istio-ca-root-cert" });
    await until(() => configMap() !== undefined);
    expect(configMap()?.data?.["root-cert.pem"]).toBe(trustBundle.current()?.pem);
    const secret = kubernetes.cluster.get(resources.secrets, { namespace, name: "istio-ca-secret" });
    expect(secret?.type).toBe("istio.io/ca-root");
  });

  it("goes on within its bound while the API server is away, and is well soon after", async () => {
    const [token, other] = [await podToken("frontend"), await podToken("backend")];
    const { ready } = await start();
    await until(async () => (await ask(token)) !== Status.UNAVAILABLE);
    await kubernetes.pause();
    expect(await ask(token)).toBe("spiffe://cluster.local/ns/demo/sa/frontend");
    expect(await ask(other)).toBe(Status.UNAVAILABLE);
    await kubernetes.resume();
    await until(async () => (await ask(other)) === "spiffe://cluster.local/ns/demo/sa/backend");
    await until(ready);
  });

  it("starts while the API server is away, is not ready, and recovers by itself", async () => {
    const token = await podToken("frontend");
    await kubernetes.pause();
    const { ready, addresses } = await start();
    const readyUrl = `http://${formatHostPort(addresses.ready)}/ready`;
    const answer = await fetch(readyUrl);
    expect(answer.status).toBe(503);
    expect(await answer.json()).toMatchObject({ ready: false, problems: [{ check: "canary" }, {}] });
    await kubernetes.resume();
    await until(ready);
    expect((await fetch(readyUrl)).status).toBe(200);
    expect(await ask(token)).toBe("spiffe://cluster.local/ns/demo/sa/frontend");
  });

  it("puts no token and no key into its log, whatever it is asked", async () => {
    const token = await podToken("frontend");
    await start({ CA_TRUSTED_NODE_ACCOUNTS: "istio-system/ztunnel" });
    await until(async () => (await ask(token)) !== Status.UNAVAILABLE);
    await ask(`${token.slice(0, -6)}AAAAAA`);
    await ask(token, { clusterId: "mars", impersonate: "spiffe://cluster.local/ns/demo/sa/backend" });
    await server?.stop();
    const log = JSON.stringify(logger.lines);
    for (const secret of [token.slice(20, 60), "PRIVATE KEY", kubernetes.cluster.adminToken]) {
      expect(log).not.toContain(secret);
    }
    expect(logger.lines.at(-1)?.message).toBe("ca server stopped");
    expect(logger.lines.some(({ message }) => message === "background task failed")).toBe(false);
  });
});

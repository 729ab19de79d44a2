import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { poll } from "@signet/cli/testing";
import { type Channel, connect, Status } from "@signet/grpc";
import { resources } from "@signet/kubernetes";
import { parseSpiffeId } from "@signet/spiffe";
import { createCsr, generateKeyPair, parseCertificates, spiffeIdOf } from "@signet/x509";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CertificateAnswer, createCertificate } from "../e2e/ca-server-fixture.ts";
import { type CaProcess, spawnCa } from "../e2e/spawn-ca.ts";
import { type CaCluster, prepareCaCluster } from "./ca-kubernetes-cluster.ts";
import { type KubeObjects, kubeObjects } from "./support/kube-objects.ts";
import { findTestKube, type KubeServer } from "./support/kube-server.ts";

const kube = await findTestKube();
const { signal } = new AbortController();
const audiences = ["istio-ca"];
const csr = createCsr({
  key: await generateKeyPair("P-256"),
  spiffeId: parseSpiffeId("spiffe://cluster.local/ns/somebody/sa/else"),
});

/** A CA server in a process of its own, and a channel to it. */
type Replica = { readonly process: CaProcess; readonly channel: Channel };

describe.skipIf(kube.skippedOwn)(`three CA servers on one real API server ${kube.skippedOwn}`, () => {
  let server: KubeServer;
  let cluster: CaCluster;
  let objects: KubeObjects;
  let directory: string;
  let rootPem: string;
  let replicas: readonly Replica[];
  let workload: { readonly namespace: string; readonly node: string; readonly serviceAccount: string };

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "signet-real-"));
    server = await kube.start();
    cluster = await prepareCaCluster(server);
    objects = kubeObjects(server);
    const namespace = await objects.createNamespace("shop");
    await objects.createServiceAccount(namespace, "cart");
    workload = { namespace, node: (await objects.createNode("node")).name, serviceAccount: "cart" };
    const kubeconfig = join(directory, "kubeconfig");
    await writeFile(kubeconfig, cluster.caServerKubeconfig, { mode: 0o600 });
    const verifications = ["review", "review", "local"] as const;
    const processes = verifications.map((verification, index) =>
      spawnCa({ ...replicaEnv(index, kubeconfig), SIGNET_KUBERNETES_TOKEN_VERIFICATION: verification }),
    );
    const addresses = await Promise.all(processes.map(addressOf));
    rootPem = await poll(readRoot, { what: "the root in the Secret", limitMs: 30_000 });
    replicas = processes.map((process, index) => ({
      process,
      channel: connect({ address: addresses[index] ?? "", tls: { rootCertificatesPem: rootPem } }),
    }));
    await allServe(await token());
  });

  afterAll(async () => {
    for (const { process, channel } of replicas ?? []) {
      channel.close();
      process.child.kill("SIGTERM");
      await process.exit;
    }
    cluster?.admin.close();
    cluster?.caServer.close();
    await server?.close();
    await rm(directory, { recursive: true, force: true });
  });

  function replicaEnv(index: number, kubeconfig: string): Record<string, string> {
    return {
      SIGNET_CA_LISTEN: "127.0.0.1:0",
      SIGNET_MONITORING_LISTEN: "127.0.0.1:0",
      SIGNET_HTTP_LISTEN: "127.0.0.1:0",
      SIGNET_SERVING_NAMES: "localhost,127.0.0.1",
      SIGNET_SELF_SIGNED_CA_KEY: "p256",
      SIGNET_STATE_DIR: join(directory, `state-${index}`),
      ROOT_CA_DIR: join(directory, "cacerts"),
      SIGNET_MESH_CONFIG: "",
      SIGNET_KUBECONFIG: kubeconfig,
      SIGNET_TOKEN_REVIEW_CACHE_TTL: "60s",
      POD_NAMESPACE: cluster.namespace,
      PILOT_CA_CERT_CONFIGMAP: cluster.rootConfigMap,
      PILOT_CRL_CONFIGMAP: cluster.crlConfigMap,
      ISTIO_WATCH_NAMESPACE: workload.namespace,
      CA_TRUSTED_NODE_ACCOUNTS: `${workload.namespace}/ztunnel`,
    };
  }

  async function addressOf(process: CaProcess): Promise<string> {
    return String((await process.logged("ca server started")).caAddress);
  }

  async function readRoot(): Promise<string | undefined> {
    const name = { namespace: cluster.namespace, name: "istio-ca-secret" };
    const secret = await cluster.admin.read(resources.secrets, name, signal);
    const data = secret?.data?.["ca-cert.pem"];
    return data === undefined ? undefined : Buffer.from(data, "base64").toString("utf8");
  }

  async function ask(replica: number, token: string, metadata: Readonly<Record<string, string>> = {}) {
    const channel = replicas[replica]?.channel;
    if (channel === undefined) throw new Error(`there is no replica ${replica}`);
    return await createCertificate(channel, { csr, token, metadata });
  }

  function token(pod?: { readonly name: string; readonly uid: string }): Promise<string> {
    return objects.requestToken({ ...workload, audiences, ...(pod && { pod }) });
  }

  it("have one root between them, and issue to a token of the API server what it says and nothing else", async () => {
    const presented = await token();
    for (const replica of replicas.keys()) {
      const answer = await ask(replica, presented);
      expect(namesOf(answer)).toEqual([`spiffe://cluster.local/ns/${workload.namespace}/sa/cart`]);
      expect(answer.kind === "issued" && answer.chain.at(-1)?.trim()).toBe(rootPem.trim());
    }
  });

  it("publish that root to the namespace they watch, and put it right when it is edited or deleted", async () => {
    const name = { namespace: workload.namespace, name: cluster.rootConfigMap };
    const published = () =>
      poll(
        async () => {
          const map = await cluster.admin.read(resources.configMaps, name, signal);
          return map?.data?.["root-cert.pem"]?.trim() === rootPem.trim() ? map : undefined;
        },
        { what: "the published root", limitMs: 30_000 },
      );
    await published();
    await cluster.admin.mergePatch(
      resources.configMaps,
      { ...name, patch: { data: { "root-cert.pem": "not a root" } } },
      signal,
    );
    await published();
    await cluster.admin.remove(resources.configMaps, name, signal);
    await published();
  });

  it("refuse tokens for another audience, made up, or of a pod that is gone", async () => {
    const foreign = await objects.requestToken({ ...workload, audiences: ["somebody-else"] });
    for (const refused of [foreign, `${foreign}x`, "made-up"]) {
      expect(await ask(0, refused)).toMatchObject({ kind: "refused", code: Status.UNAUTHENTICATED });
      expect(await ask(2, refused)).toMatchObject({ kind: "refused", code: Status.UNAUTHENTICATED });
    }
    const pod = { namespace: workload.namespace, name: "gone" };
    const { uid } = await objects.createPod({ ...pod, serviceAccount: "cart", nodeName: workload.node });
    const mint = () => token({ name: pod.name, uid });
    // One for each attempt, since an answer is remembered: by the API server, and by us.
    const bound = await Promise.all(Array.from({ length: 20 }, mint));
    await objects.deletePod(pod);
    const refusal = async (): Promise<CertificateAnswer | undefined> => {
      const answer = await ask(0, bound.pop() ?? "");
      return answer.kind === "refused" ? answer : undefined;
    };
    const answer = await poll(refusal, { what: "the API server to miss the pod", limitMs: 20_000 });
    expect(answer).toMatchObject({ code: Status.UNAUTHENTICATED });
    expect(bound.length).toBeGreaterThan(0);
    // What local verification cannot see.
    expect(namesOf(await ask(2, bound.pop() ?? ""))).toHaveLength(1);
  });

  it("let a node proxy ask for the workloads of its own node, and for no others", async () => {
    const { namespace, node } = workload;
    const elsewhere = await objects.createNode("elsewhere");
    await objects.createServiceAccount(namespace, "ztunnel");
    await objects.createServiceAccount(namespace, "there");
    const proxy = await objects.createPod({ namespace, name: "proxy", serviceAccount: "ztunnel", nodeName: node });
    await objects.createPod({ namespace, name: "cart-1", serviceAccount: "cart", nodeName: node });
    await objects.createPod({ namespace, name: "there-1", serviceAccount: "there", nodeName: elsewhere.name });
    const pod = { name: "proxy", uid: proxy.uid };
    const presented = await objects.requestToken({ namespace, serviceAccount: "ztunnel", audiences, pod });
    const speakFor = (account: string) =>
      ask(0, presented, { ImpersonatedIdentity: `spiffe://cluster.local/ns/${namespace}/sa/${account}` });
    const permitted = async (): Promise<CertificateAnswer | undefined> => {
      const answer = await speakFor("cart");
      return answer.kind === "issued" ? answer : undefined;
    };
    // Until the index has seen the pods.
    const answer = await poll(permitted, { what: "the pods to be seen", limitMs: 30_000 });
    expect(namesOf(answer)).toEqual([`spiffe://cluster.local/ns/${namespace}/sa/cart`]);
    for (const account of ["there", "nobody", "cart,spiffe://cluster.local/ns/x/sa/y"]) {
      expect(await speakFor(account)).toMatchObject({ kind: "refused", code: Status.UNAUTHENTICATED });
    }
  });

  it("go on within their bounds while the API server says nothing for a minute, and are well seconds after", async () => {
    const [known, fresh] = [await token(), await token()];
    for (const replica of replicas.keys()) expect(namesOf(await ask(replica, known))).toHaveLength(1);
    server.own?.pause();
    await poll(isSilent, { what: "the API server to stop", limitMs: 10_000 });
    const pausedAt = Date.now();
    try {
      expect(namesOf(await ask(0, known))).toHaveLength(1);
      expect(await ask(0, fresh)).toMatchObject({ kind: "refused", code: Status.UNAVAILABLE });
      expect(namesOf(await ask(2, fresh))).toHaveLength(1);
      // The last yes to a token is a minute old at most.
      const expired = async (): Promise<CertificateAnswer | undefined> => {
        const answer = await ask(1, known);
        return answer.kind === "refused" ? answer : undefined;
      };
      const refused = await poll(expired, { what: "the cached review to end", limitMs: 90_000 });
      expect(refused).toMatchObject({ kind: "refused", code: Status.UNAVAILABLE });
      await poll(async () => (Date.now() - pausedAt > 60_000 ? true : undefined), {
        what: "a minute",
        limitMs: 90_000,
      });
      expect(namesOf(await ask(2, fresh))).toHaveLength(1);
    } finally {
      server.own?.resume();
    }
    await allServe(fresh);
  });

  it("are well seconds after the API server was killed and started again", async () => {
    const fresh = await token();
    await server.own?.kill();
    expect(await ask(0, fresh)).toMatchObject({ kind: "refused", code: Status.UNAVAILABLE });
    await server.own?.start();
    await allServe(fresh);
  });

  async function isSilent(): Promise<true | undefined> {
    return await server.request({ method: "GET", path: "/version", timeoutMs: 500 }).then(
      () => undefined,
      () => true,
    );
  }

  async function allServe(presented: string): Promise<void> {
    for (const replica of replicas.keys()) {
      const served = async (): Promise<CertificateAnswer | undefined> => {
        const answer = await ask(replica, presented);
        return answer.kind === "issued" ? answer : undefined;
      };
      await poll(served, { what: `replica ${replica} to serve`, limitMs: 15_000 });
    }
  }
});

function namesOf(answer: CertificateAnswer): readonly string[] {
  if (answer.kind === "refused") throw new Error(`refused with ${answer.code}: ${answer.message}`);
  const [leaf] = parseCertificates(answer.chain[0] ?? "");
  expect(leaf?.subjectAltNames).toHaveLength(1);
  return leaf === undefined ? [] : [spiffeIdOf(leaf)];
}

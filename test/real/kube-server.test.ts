import { httpsJson } from "@signet/cli/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type KubeObjects, kubeObjects } from "./support/kube-objects.ts";
import { findTestKube, type KubeServer } from "./support/kube-server.ts";

const kube = await findTestKube();

describe.skipIf(kube.skipped)(`the Kubernetes API server of the tests ${kube.skipped}`, () => {
  let server: KubeServer;
  let objects: KubeObjects;
  beforeAll(async () => {
    server = await kube.start();
    objects = kubeObjects(server);
  });
  afterAll(() => server?.close());

  test("mints a token for a service account and reviews it", async () => {
    const namespace = await objects.createNamespace("review");
    const account = await objects.createServiceAccount(namespace, "frontend");
    const node = await objects.createNode("node");
    const pod = { namespace, name: "frontend-1", serviceAccount: "frontend", nodeName: node.name };
    const { uid } = await objects.createPod(pod);
    const token = await objects.requestToken({ ...pod, audiences: ["istio-ca"], pod: { name: pod.name, uid } });
    const answer = await review(token, ["istio-ca"]);
    expect(answer.at("status")).toMatchObject({
      authenticated: true,
      audiences: ["istio-ca"],
      user: {
        username: `system:serviceaccount:${namespace}:frontend`,
        uid: account.uid,
        extra: {
          "authentication.kubernetes.io/node-name": [node.name],
          "authentication.kubernetes.io/pod-name": [pod.name],
          "authentication.kubernetes.io/pod-uid": [uid],
        },
      },
    });
    expect((await review(token, ["somebody-else"])).at("status", "authenticated")).toBeUndefined();
  });

  test("knows a token no more when its pod is gone", async () => {
    const namespace = await objects.createNamespace("gone");
    await objects.createServiceAccount(namespace, "frontend");
    const pod = { namespace, name: "frontend-1", serviceAccount: "frontend" };
    const { uid } = await objects.createPod(pod);
    // Never reviewed before: the API server remembers for 10 seconds what it has accepted.
    const token = await objects.requestToken({ ...pod, audiences: ["istio-ca"], pod: { name: pod.name, uid } });
    await objects.deletePod(pod);
    expect((await review(token, ["istio-ca"])).at("status", "authenticated")).toBeUndefined();
  });

  test("lets a service account do what it was granted and nothing else", async () => {
    const namespace = await objects.createNamespace("grant");
    await objects.createServiceAccount(namespace, "reader");
    const account = { namespace, serviceAccount: "reader" };
    await objects.grant(account, [{ apiGroups: [""], resources: ["configmaps"], verbs: ["list"] }], namespace);
    const token = await objects.requestToken({ ...account, audiences: [server.issuer] });
    const headers = { authorization: `Bearer ${token}` };
    const list = (what: string, where: string) =>
      server.request({ method: "GET", path: `/api/v1/namespaces/${where}/${what}`, headers });
    // The authorizer learns of a new binding by a watch.
    await expect.poll(async () => (await list("configmaps", namespace)).status).toBe(200);
    expect((await list("secrets", namespace)).status).toBe(403);
    expect((await list("configmaps", "default")).status).toBe(403);
  });

  test("serves the keys of its issuer", async () => {
    const discovery = await server.request({ method: "GET", path: "/.well-known/openid-configuration" });
    expect(discovery.at("issuer")).toBe(server.issuer);
    const keys = await server.request({ method: "GET", path: "/openid/v1/jwks" });
    expect(keys.at("keys", 0)).toMatchObject({ kty: "RSA", alg: "RS256", use: "sig", kid: expect.any(String) });
  });

  async function review(token: string, audiences: readonly string[]) {
    const path = "/apis/authentication.k8s.io/v1/tokenreviews";
    return await server.request({ method: "POST", path, body: { spec: { token, audiences } } });
  }
});

describe.skipIf(kube.skippedOwn)(`an API server that comes and goes ${kube.skippedOwn}`, () => {
  let server: KubeServer;
  beforeAll(async () => {
    server = await kube.start();
  });
  afterAll(() => server?.close());

  test("keeps its data and its keys when it is killed and started again", async () => {
    const objects = kubeObjects(server);
    const namespace = await objects.createNamespace("kept");
    const jwks = (await server.request({ method: "GET", path: "/openid/v1/jwks" })).body;
    await server.own?.kill();
    await expect(server.request({ method: "GET", path: "/version" })).rejects.toThrow("ECONNREFUSED");
    await server.own?.start();
    expect((await server.request({ method: "GET", path: `/api/v1/namespaces/${namespace}` })).status).toBe(200);
    expect((await server.request({ method: "GET", path: "/openid/v1/jwks" })).body).toEqual(jwks);
  });

  test("accepts connections and says nothing while it is paused", async () => {
    server.own?.pause();
    const call = { method: "GET", path: "/version", timeoutMs: 500 };
    await expect(server.request(call)).rejects.toThrow("abort");
    server.own?.resume();
    expect((await server.request({ ...call, timeoutMs: 10_000 })).status).toBe(200);
  });

  test("takes client certificates of its authority", async () => {
    const clientCertificate = await server.own?.clientAuthority.issue([{ kind: "dns", value: "alice" }], "alice");
    const alice = { url: server.url, caPem: server.caPem, ...(clientCertificate && { clientCertificate }) };
    const answer = await httpsJson(alice, { method: "GET", path: "/api/v1/secrets" });
    expect(answer.status).toBe(403);
    expect(answer.textAt("message")).toContain('User "alice"');
  });
});

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@signet/runtime";
import { FakeClock } from "@signet/runtime/testing";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { connectCluster, type KubernetesApi, resources } from "./index.ts";
import { type FakeApiServer, startFakeApiServer } from "./testing.ts";

const { namespaces, serviceAccounts } = resources;
const never = new AbortController().signal;

let server: FakeApiServer;
let directory: string;
const apis: KubernetesApi[] = [];

beforeAll(async () => {
  server = await startFakeApiServer();
});

afterAll(() => server.stop());

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "signet-kubernetes-"));
});

afterEach(async () => {
  for (const api of apis.splice(0)) api.close();
  server.cluster.setFault(undefined);
  await rm(directory, { recursive: true });
});

async function connect(...options: Parameters<typeof connectCluster>): Promise<KubernetesApi> {
  const api = await connectCluster(...options);
  apis.push(api);
  return api;
}

async function write(name: string, text: string): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, text, { mode: 0o600 });
  return path;
}

/** A token of a service account, which the fake's API server accepts as a caller too. */
async function accountToken(name: string): Promise<string> {
  const { cluster } = server;
  cluster.put(serviceAccounts, { metadata: { namespace: "default", name } });
  const admin = await connect({ kind: "kubeconfig-text", text: server.kubeconfig() }, { clock: systemClock });
  const request = { namespace: "default", serviceAccount: name, audiences: [cluster.issuer], expirationSeconds: 600 };
  return (await admin.requestToken(request, never)).token;
}

async function countNamespaces(api: KubernetesApi): Promise<number> {
  return (await api.list(namespaces, {}, never)).items.length;
}

describe("connectCluster from inside", () => {
  it("finds the server by the environment, and its token and CA where they are mounted", async () => {
    await write("ca.crt", server.caPem);
    await write("token", `${server.cluster.adminToken}\n`);
    const { hostname, port } = new URL(server.url);
    const environment = { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port };
    const api = await connect({ kind: "in-cluster", directory }, { clock: systemClock, environment });
    expect(api.server).toBe(server.url);
    expect(await countNamespaces(api)).toBe(4);
  });

  it("is refused where there is no cluster, and where the files are missing", async () => {
    const inCluster = { kind: "in-cluster", directory } as const;
    const refusals = [
      connectCluster(inCluster, { clock: systemClock, environment: {} }),
      connectCluster(inCluster, {
        clock: systemClock,
        environment: { KUBERNETES_SERVICE_HOST: "::1", KUBERNETES_SERVICE_PORT: "443" },
      }),
    ];
    for (const refusal of refusals) await expect(refusal).rejects.toMatchObject({ code: "config-invalid" });
  });
});

describe("connectCluster with a token in a file", () => {
  async function connectWithTokenFile(clock: FakeClock, token: string): Promise<KubernetesApi> {
    await write("ca.crt", server.caPem);
    await write("token", token);
    const { hostname, port } = new URL(server.url);
    const environment = { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port };
    return connect({ kind: "in-cluster", directory }, { clock, environment });
  }

  it("reads it again at once when the server does not accept it any more", async () => {
    const api = await connectWithTokenFile(new FakeClock(), "expired");
    await write("token", await accountToken("rotated"));
    expect(await countNamespaces(api)).toBe(4);
  });

  it("says so when it is refused all the same, and asks twice at most", async () => {
    const api = await connectWithTokenFile(new FakeClock(), "expired");
    const asked = server.cluster.requests.length;
    await expect(api.list(namespaces, {}, never)).rejects.toMatchObject({ code: "unauthorized" });
    expect(server.cluster.requests.length - asked).toBe(1);
    await write("token", "expired too");
    await expect(api.list(namespaces, {}, never)).rejects.toMatchObject({ code: "unauthorized" });
    await write("token", "expired-too");
    await expect(api.list(namespaces, {}, never)).rejects.toMatchObject({ code: "unauthorized" });
    expect(server.cluster.requests.length - asked).toBe(4);
  });

  it("reads it again after 10 seconds, and keeps what it had while there is none", async () => {
    const clock = new FakeClock();
    const api = await connectWithTokenFile(clock, await accountToken("first"));
    await rm(join(directory, "token"));
    await clock.advance(10_000);
    expect(await countNamespaces(api)).toBe(4);
    server.cluster.delete(serviceAccounts, { namespace: "default", name: "first" });
    await write("token", await accountToken("second"));
    await clock.advance(10_000);
    const asked = server.cluster.requests.length;
    expect(await countNamespaces(api)).toBe(4);
    // Not refused once: it was read before it was needed.
    expect(server.cluster.requests.length - asked).toBe(1);
  });

  it("takes a new CA from its file", async () => {
    const clock = new FakeClock();
    const api = await connectWithTokenFile(clock, server.cluster.adminToken);
    await write("ca.crt", server.client.certificatePem);
    await server.pause();
    await server.resume();
    await clock.advance(10_000);
    await expect(api.list(namespaces, {}, never)).rejects.toMatchObject({ code: "unavailable" });
    await write("ca.crt", server.caPem);
    await clock.advance(10_000);
    expect(await countNamespaces(api)).toBe(4);
  });
});

describe("connectCluster with a kubeconfig", () => {
  it("reads it and the files that it names, from where it is", async () => {
    await write("ca.pem", server.caPem);
    await write("client.pem", server.client.certificatePem);
    await write("client.key", server.client.keyPem);
    const path = await write(
      "config",
      JSON.stringify({
        "current-context": "main",
        contexts: [{ name: "main", context: { cluster: "main", user: "admin" } }],
        clusters: [{ name: "main", cluster: { server: server.url, "certificate-authority": "ca.pem" } }],
        users: [{ name: "admin", user: { "client-certificate": "client.pem", "client-key": "./client.key" } }],
      }),
    );
    const api = await connect({ kind: "kubeconfig-file", path }, { clock: systemClock });
    expect(await countNamespaces(api)).toBe(4);
    await expect(
      connectCluster({ kind: "kubeconfig-file", path, context: "other" }, { clock: systemClock }),
    ).rejects.toMatchObject({ code: "config-invalid", message: 'the kubeconfig has no context "other"' });
  });

  it("keeps its client certificate while only one half of the next is there", async () => {
    const clock = new FakeClock();
    const certificate = await write("client.pem", server.client.certificatePem);
    const key = await write("client.key", server.client.keyPem);
    const user = { "client-certificate": certificate, "client-key": key };
    const cluster = { server: server.url, "certificate-authority-data": Buffer.from(server.caPem).toString("base64") };
    const path = await write(
      "config",
      JSON.stringify({
        "current-context": "main",
        contexts: [{ name: "main", context: { cluster: "main", user: "admin" } }],
        clusters: [{ name: "main", cluster }],
        users: [{ name: "admin", user }],
      }),
    );
    const api = await connect({ kind: "kubeconfig-file", path }, { clock });
    expect(await countNamespaces(api)).toBe(4);
    await write("client.pem", server.caPem);
    await clock.advance(10_000);
    expect(await countNamespaces(api)).toBe(4);
    await write("client.pem", "no certificate");
    await clock.advance(10_000);
    expect(await countNamespaces(api)).toBe(4);
  });

  it("goes by the name in tls-server-name where one is given", async () => {
    const text = server.kubeconfig().replace(/( +)server: .*/, "$&\n$1tls-server-name: localhost");
    const api = await connect({ kind: "kubeconfig-text", text }, { clock: systemClock });
    expect(await countNamespaces(api)).toBe(4);
    const wrong = text.replace("tls-server-name: localhost", "tls-server-name: elsewhere");
    const other = await connect({ kind: "kubeconfig-text", text: wrong }, { clock: systemClock });
    await expect(other.list(namespaces, {}, never)).rejects.toMatchObject({ code: "unavailable" });
  });

  it.each([
    ["no YAML", "{{{"],
    ["nothing", ""],
    ["no kubeconfig", "[]"],
    ["too much", " ".repeat(1_048_577)],
  ])("is refused when it is %s", async (_, text) => {
    await expect(connectCluster({ kind: "kubeconfig-text", text }, { clock: systemClock })).rejects.toMatchObject({
      code: "config-invalid",
    });
  });

  it("is refused when its file is missing", async () => {
    const source = { kind: "kubeconfig-file", path: join(directory, "none") } as const;
    await expect(connectCluster(source, { clock: systemClock })).rejects.toMatchObject({ code: "config-invalid" });
  });

  it("does not quote what it cannot read", async () => {
    const text = `users: [{name: a, user: {token: c2VjcmV0`;
    const failure = await connectCluster({ kind: "kubeconfig-text", text }, { clock: systemClock }).catch(String);
    expect(failure).not.toContain("c2VjcmV0");
  });
});

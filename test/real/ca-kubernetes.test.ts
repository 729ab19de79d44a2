import { randomBytes } from "node:crypto";
import {
  createRootPublisher,
  openPluggedInSecretCa,
  openSelfSignedSecretCa,
  type RootPublisher,
  readPluggedInSecret,
  type SecretCa,
} from "@signet/ca-kubernetes";
import { type RecordedEvents, recordEvents } from "@signet/ca-kubernetes/testing";
import { poll } from "@signet/cli/testing";
import { type ConfigMap, type KubernetesApi, resources, type Secret } from "@signet/kubernetes";
import { createSource, type Publisher, systemClock } from "@signet/runtime";
import { parseTrustDomain } from "@signet/spiffe";
import { certificatePem, parsePrivateKey, parseTrustBundle, privateKeyPem, type TrustBundle } from "@signet/x509";
import { testIntermediate, testRoot } from "@signet/x509/testing";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type CaCluster, prepareCaCluster, runLabel } from "./ca-kubernetes-cluster.ts";
import { findTestKube, type KubeServer } from "./support/kube-server.ts";

const kube = await findTestKube();
const { signal } = new AbortController();
const dependencies = { clock: systemClock, random: Math.random, randomBytes };
const patience = { what: "what the test waits for", limitMs: 30_000 };

describe.skipIf(kube.skipped)(`a CA's state in the real API server ${kube.skipped}`, () => {
  let server: KubeServer;
  let cluster: CaCluster;
  const stop: AbortController[] = [];

  beforeAll(async () => {
    server = await kube.start();
    cluster = await prepareCaCluster(server);
  });

  afterEach(() => {
    for (const controller of stop.splice(0)) controller.abort();
  });

  afterAll(async () => {
    cluster?.admin.close();
    cluster?.caServer.close();
    await server?.close();
  });

  function running(): AbortSignal {
    const controller = new AbortController();
    stop.push(controller);
    return controller.signal;
  }

  async function openCa(api: KubernetesApi): Promise<SecretCa & { readonly events: RecordedEvents }> {
    const events = recordEvents();
    const root = {
      trustDomain: parseTrustDomain("cluster.local"),
      keyType: "RSA-2048",
      ttlMs: 315_360_000_000,
    } as const;
    const place = { namespace: cluster.namespace, name: "istio-ca-secret" } as const;
    const ca = await openSelfSignedSecretCa({ api, ...place, ...root }, { ...dependencies, events }, signal);
    return { ...ca, events };
  }

  const rootOf = ({ signingCa }: SecretCa): string | undefined => signingCa.trustBundle.current()?.pem;

  function readSecret(name = "istio-ca-secret"): Promise<Secret | undefined> {
    return cluster.admin.read(resources.secrets, { namespace: cluster.namespace, name }, signal);
  }

  describe("the Secret of a self-signed CA", () => {
    it("holds one root though three CA servers start at the same instant", async () => {
      const apis = await Promise.all([1, 2, 3].map(() => cluster.connectAsCaServer()));
      const cas = await Promise.all(apis.map(openCa));
      expect(new Set(cas.map(rootOf)).size).toBe(1);
      const created = cas.flatMap(({ events }) => events.names()).filter((name) => name === "created");
      expect(created).toHaveLength(1);
      for (const api of apis) api.close();
    });

    it("is what istiod writes and reads", async () => {
      const secret = await readSecret();
      expect(secret?.type).toBe("istio.io/ca-root");
      const file = (name: string): string => Buffer.from(secret?.data?.[name] ?? "none", "base64").toString();
      expect(Object.keys(secret?.data ?? {}).sort()).toEqual([
        ...["ca-cert.pem", "ca-key.pem", "cert-chain.pem", "key.pem", "root-cert.pem"],
      ]);
      expect(file("root-cert.pem")).toBe(file("ca-cert.pem"));
      expect(file("ca-key.pem")).toMatch(/^-----BEGIN RSA PRIVATE KEY-----\n/);
      expect([secret?.data?.["key.pem"] ?? "", secret?.data?.["cert-chain.pem"] ?? ""]).toEqual(["", ""]);
      const [authority] = parseTrustBundle(file("root-cert.pem")).authorities;
      expect(authority?.spki).toEqual(parsePrivateKey(file("ca-key.pem")).spki);
    });

    it("is written back as it was when it is deleted, by one of the replicas", async () => {
      const cas = await Promise.all([openCa(cluster.caServer), openCa(cluster.caServer)]);
      const runs = running();
      for (const { task } of cas) task.run(runs).catch(() => {});
      const before = await readSecret();
      for (let round = 1; round <= 2; round++) {
        await cluster.admin.remove(
          resources.secrets,
          { namespace: cluster.namespace, name: "istio-ca-secret" },
          signal,
        );
        const after = await poll(() => readSecret(), patience);
        expect([after.type, after.data]).toEqual([before?.type, before?.data]);
        const restored = cas.flatMap(({ events }) => events.names()).filter((name) => name === "secretRestored");
        expect(restored).toHaveLength(round);
      }
      expect(new Set(cas.map(rootOf)).size).toBe(1);
    });

    it("is not followed to another CA", async () => {
      const ca = await openCa(cluster.caServer);
      ca.task.run(running()).catch(() => {});
      const good = await readSecret();
      const root = await testRoot();
      const files = {
        "ca-cert.pem": root.pem,
        "ca-key.pem": privateKeyPem(root.key, "pkcs8"),
        "root-cert.pem": root.pem,
      };
      const place = { namespace: cluster.namespace, name: "istio-ca-secret" };
      const patch = { data: base64Of(files) };
      await cluster.admin.mergePatch(resources.secrets, { ...place, patch }, signal);
      await poll(async () => ca.signingCa.health.current()?.state === "degraded" || undefined, patience);
      expect(rootOf(ca)).toBe(Buffer.from(good?.data?.["root-cert.pem"] ?? "", "base64").toString());
      await cluster.admin.mergePatch(resources.secrets, { ...place, patch: { data: good?.data } }, signal);
      await poll(async () => ca.signingCa.health.current()?.state === "good" || undefined, patience);
    });
  });

  it("follows a plugged-in CA in the Secret cacerts", async () => {
    const root = await testRoot();
    const secretFor = async (organization: string): Promise<{ data: Record<string, string>; pem: string }> => {
      const intermediate = await testIntermediate(root, { organization });
      const files = {
        "ca-cert.pem": intermediate.pem,
        "ca-key.pem": privateKeyPem(intermediate.key, "pkcs8"),
        "cert-chain.pem": intermediate.pem,
        "root-cert.pem": root.pem,
      };
      return { data: base64Of(files), pem: intermediate.pem };
    };
    const place = { namespace: cluster.namespace, name: "cacerts" };
    expect(await readPluggedInSecret(cluster.caServer, place, signal)).toBeUndefined();
    const first = await secretFor("first");
    await cluster.admin.create(resources.secrets, { metadata: place, data: first.data }, signal);
    const opened = await openPluggedInSecretCa(
      { api: cluster.caServer, ...place },
      { ...dependencies, events: recordEvents() },
      signal,
    );
    if (opened === undefined) throw new Error("there is no plugged-in CA");
    const chain = (): string => opened.signingCa.chain().map(certificatePem).join("");
    expect(chain()).toBe(first.pem);
    opened.task.run(running()).catch(() => {});
    const second = await secretFor("second");
    await cluster.admin.mergePatch(resources.secrets, { ...place, patch: { data: second.data } }, signal);
    await poll(async () => chain() === second.pem || undefined, patience);
    await cluster.admin.remove(resources.secrets, place, signal);
  });

  describe("the published root", () => {
    type Running = RootPublisher & { readonly trustBundle: Publisher<TrustBundle>; readonly events: RecordedEvents };

    async function publish(pem: string): Promise<Running> {
      const [, label] = await runLabelOf();
      const trustBundle = createSource(parseTrustBundle(pem));
      const events = recordEvents();
      const { rootConfigMap, crlConfigMap, caServer: api } = cluster;
      const selects = ({ metadata }: { metadata: { labels?: Readonly<Record<string, string>> } }): boolean =>
        metadata.labels?.[runLabel] === label;
      const revocationLists = createSource("CRL");
      const publisher = createRootPublisher(
        { api, trustBundle, rootConfigMap, crlConfigMap, revocationLists, selects },
        { clock: systemClock, random: Math.random, events },
      );
      publisher.task.run(running()).catch(() => {});
      return { ...publisher, trustBundle, events };
    }

    async function runLabelOf(): Promise<readonly [string, string]> {
      const namespace = await cluster.admin.read(resources.namespaces, { name: cluster.namespace }, signal);
      return [runLabel, namespace?.metadata.labels?.[runLabel] ?? ""];
    }

    function find(name: string, namespace: string): Promise<ConfigMap | undefined> {
      return cluster.admin.read(resources.configMaps, { namespace, name }, signal);
    }

    function holding(pem: string, namespace: string): Promise<ConfigMap> {
      return poll(async () => {
        const map = await find(cluster.rootConfigMap, namespace);
        return map?.data?.["root-cert.pem"] === pem ? map : undefined;
      }, patience);
    }

    it("is in every namespace, comes back, and is put right, with two replicas that do not fight", async () => {
      const [root, next] = [await testRoot(), await testRoot({ trustDomain: "next" })];
      const publishers = [await publish(root.pem), await publish(root.pem)];
      const other = await cluster.createNamespace();
      const map = await holding(root.pem, cluster.namespace);
      expect(map.metadata.labels).toEqual({ "istio.io/config": "true" });
      await holding(root.pem, other);
      expect((await poll(() => find(cluster.crlConfigMap, other), patience)).data).toEqual({ "ca-crl.pem": "CRL" });

      const place = { namespace: other, name: cluster.rootConfigMap };
      const edit = { metadata: { labels: { mine: "kept" } }, data: { "root-cert.pem": next.pem, other: "kept" } };
      await cluster.admin.mergePatch(resources.configMaps, { ...place, patch: edit }, signal);
      const mended = await holding(root.pem, other);
      expect([mended.metadata.labels, mended.data?.other]).toEqual([
        { "istio.io/config": "true", mine: "kept" },
        "kept",
      ]);
      await cluster.admin.remove(resources.configMaps, place, signal);
      await holding(root.pem, other);

      const both = root.pem + next.pem;
      for (const { trustBundle } of publishers) trustBundle.publish(parseTrustBundle(both));
      await holding(both, other);
      const settled = await holding(both, cluster.namespace);
      // Another order is no other bundle.
      publishers[0]?.trustBundle.publish(parseTrustBundle(next.pem + root.pem));
      const later = await cluster.createNamespace();
      await poll(() => find(cluster.rootConfigMap, later), patience);
      expect((await find(cluster.rootConfigMap, cluster.namespace))?.metadata.resourceVersion).toBe(
        settled.metadata.resourceVersion,
      );
      for (const { events, status } of publishers) expect([events.all, status().failed]).toEqual([[], 0]);
    });
  });

  describe("the rights of deploy/kubernetes/ca-server-rbac.yaml", () => {
    it("suffice to judge callers", async () => {
      const { caServer } = cluster;
      const review = await caServer.reviewToken({ token: "none", audiences: ["istio-ca"] }, signal);
      expect(review.authenticated).toBe(false);
      await caServer.list(resources.pods, {}, signal);
      await caServer.getJson("/openid/v1/jwks", signal);
      await caServer.getJson("/.well-known/openid-configuration", signal);
      const query = { namespace: cluster.namespace, labelSelector: "istio/multiCluster=true" };
      await caServer.list(resources.secrets, query, signal);
    });

    it("go no further", async () => {
      const { caServer, namespace } = cluster;
      const secret = { namespace, name: "istio-ca-secret" };
      const map = { namespace, name: cluster.rootConfigMap };
      const forbidden: readonly (() => Promise<unknown>)[] = [
        () => caServer.remove(resources.secrets, secret, signal),
        () => caServer.mergePatch(resources.secrets, { ...secret, patch: {} }, signal),
        () => caServer.read(resources.secrets, { namespace, name: "other" }, signal),
        () => caServer.list(resources.secrets, { namespace: "kube-system" }, signal),
        () => caServer.remove(resources.configMaps, map, signal),
        () => caServer.list(resources.configMaps, {}, signal),
        () => caServer.mergePatch(resources.configMaps, { namespace, name: "other", patch: {} }, signal),
        () => caServer.list(resources.certificateSigningRequests, {}, signal),
      ];
      for (const call of forbidden) await expect(call()).rejects.toMatchObject({ code: "forbidden" });
    });
  });
});

function base64Of(files: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(files).map(([name, text]) => [name, Buffer.from(text).toString("base64")]));
}

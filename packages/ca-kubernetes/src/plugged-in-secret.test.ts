import { randomBytes } from "node:crypto";
import { resources, type Secret } from "@signet/kubernetes";
import { fakeKubernetes } from "@signet/kubernetes/testing";
import { FakeClock, seededRandom } from "@signet/runtime/testing";
import { certificatePem, privateKeyPem } from "@signet/x509";
import { type TestCa, testIntermediate, testRoot } from "@signet/x509/testing";
import { afterEach, describe, expect, it } from "vitest";
import { openPluggedInSecretCa, type PluggedInSecretOptions, readPluggedInSecret } from "./plugged-in-secret.ts";
import { drive, driveUntil } from "./testing/drive.ts";
import { recordEvents } from "./testing/record-events.ts";

const namespace = "istio-system";
const place = { namespace, name: "cacerts" } as const;
const stop: AbortController[] = [];

afterEach(() => {
  for (const controller of stop.splice(0)) controller.abort();
});

function newCluster() {
  const clock = new FakeClock(new Date("2026-11-22T12:00:00Z"));
  const { api, cluster } = fakeKubernetes({ clock });
  cluster.put(resources.namespaces, { metadata: { name: namespace } });
  return { clock, api, cluster };
}

function open({ clock, api }: ReturnType<typeof newCluster>, options: Partial<PluggedInSecretOptions> = {}) {
  const controller = new AbortController();
  stop.push(controller);
  const events = recordEvents();
  const dependencies = { clock, random: seededRandom(1), randomBytes, events };
  const opening = openPluggedInSecretCa({ api, ...place, ...options }, dependencies, controller.signal);
  return { events, signal: controller.signal, opening };
}

async function running(test: ReturnType<typeof newCluster>) {
  const { events, signal, opening } = open(test);
  const ca = await drive(test.clock, opening);
  if (ca === undefined) throw new Error("there is no plugged-in CA");
  ca.task.run(signal).catch(() => {});
  await driveUntil(test.clock, () => test.cluster.watchCount > 0);
  return { ...ca, events };
}

function istioSecret(root: TestCa, intermediate: TestCa, more: Readonly<Record<string, string>> = {}): Secret {
  const files = {
    "ca-cert.pem": intermediate.pem,
    "ca-key.pem": privateKeyPem(intermediate.key, "traditional"),
    "cert-chain.pem": intermediate.chain.map(certificatePem).join(""),
    "root-cert.pem": root.pem,
    ...more,
  };
  const data = Object.fromEntries(
    Object.entries(files).map(([name, text]) => [name, Buffer.from(text).toString("base64")]),
  );
  return { metadata: place, data };
}

async function newCa() {
  const root = await testRoot();
  return { root, intermediate: await testIntermediate(root) };
}

describe("openPluggedInSecretCa", () => {
  it("signs with the CA of the Secret, chain included", async () => {
    const test = newCluster();
    const { root, intermediate } = await newCa();
    test.cluster.put(resources.secrets, istioSecret(root, intermediate));
    const ca = await drive(test.clock, open(test).opening);
    expect(ca?.secret).toBe("istio-system/cacerts");
    expect(ca?.signingCa.name).toBe("plugged-in");
    expect(ca?.signingCa.trustBundle.current()?.pem).toBe(root.pem);
    expect(ca?.signingCa.chain().map(certificatePem)).toEqual([intermediate.pem]);
  });

  it("finds none where there is no Secret, or none of its files", async () => {
    const test = newCluster();
    expect(await drive(test.clock, open(test).opening)).toBeUndefined();
    test.cluster.put(resources.secrets, { metadata: place, data: { other: "" } });
    expect(await drive(test.clock, open(test).opening)).toBeUndefined();
  });

  it("takes a CA that is marked as generated for one only when self-signed CAs are not kept there", async () => {
    const test = newCluster();
    const { root, intermediate } = await newCa();
    test.cluster.put(resources.secrets, istioSecret(root, intermediate, { "istio-generated": "" }));
    expect(await drive(test.clock, open(test).opening)).toBeDefined();
    expect(await drive(test.clock, open(test, { skipGenerated: true }).opening)).toBeUndefined();
  });

  it("refuses half a CA, and files that do not fit together", async () => {
    const test = newCluster();
    const { root, intermediate } = await newCa();
    const { "ca-key.pem": _key, ...half } = istioSecret(root, intermediate).data ?? {};
    test.cluster.put(resources.secrets, { metadata: place, data: half });
    await expect(drive(test.clock, open(test).opening)).rejects.toMatchObject({
      code: "secret-incomplete",
      message: expect.stringContaining("ca-key.pem"),
    });
    test.cluster.put(resources.secrets, istioSecret(await testRoot(), intermediate));
    await expect(drive(test.clock, open(test).opening)).rejects.toMatchObject({
      code: "ca-material-invalid",
      message: expect.stringContaining("istio-system/cacerts"),
    });
  });

  it("follows a new intermediate under the same root", async () => {
    const test = newCluster();
    const { root, intermediate } = await newCa();
    test.cluster.put(resources.secrets, istioSecret(root, intermediate));
    const ca = await running(test);
    const next = await testIntermediate(root, { organization: "next" });
    test.cluster.put(resources.secrets, istioSecret(root, next));
    await driveUntil(test.clock, () => ca.events.names().includes("adopted"));
    expect(ca.signingCa.chain().map(certificatePem)).toEqual([next.pem]);
  });

  it.each<[string, (secret: Secret) => Secret]>([
    ["half a set", ({ data = {}, ...secret }) => ({ ...secret, data: { "tls.crt": data["ca-cert.pem"] ?? "" } })],
    ["none of its files", (secret) => ({ ...secret, data: { other: "" } })],
    ["a key that is no text", (secret) => ({ ...secret, data: { ...secret.data, "ca-key.pem": "/w==" } })],
  ])("goes on with what it has when the Secret holds %s", async (_, change) => {
    const test = newCluster();
    const { root, intermediate } = await newCa();
    const secret = test.cluster.put(resources.secrets, istioSecret(root, intermediate));
    const ca = await running(test);
    test.cluster.put(resources.secrets, change(secret));
    await driveUntil(test.clock, () => ca.events.names().includes("refused"));
    expect(ca.signingCa.health.current()?.state).toBe("degraded");
    expect(ca.signingCa.chain().map(certificatePem)).toEqual([intermediate.pem]);
    test.cluster.put(resources.secrets, secret);
    await driveUntil(test.clock, () => ca.signingCa.health.current()?.state === "good");
  });

  it("goes on with what it has when the Secret is deleted, and does not write it back", async () => {
    const test = newCluster();
    const { root, intermediate } = await newCa();
    test.cluster.put(resources.secrets, istioSecret(root, intermediate));
    const ca = await running(test);
    test.cluster.delete(resources.secrets, place);
    await driveUntil(test.clock, () => ca.events.names().includes("secretMissing"));
    await test.clock.advance(120_000);
    expect(test.cluster.get(resources.secrets, place)).toBeUndefined();
    expect(ca.events.names()).toEqual(["secretMissing"]);
    expect(ca.signingCa.trustBundle.current()?.pem).toBe(root.pem);
  });
});

describe("readPluggedInSecret", () => {
  it("returns the files, and throws what is wrong with the API server", async () => {
    const { api, cluster } = newCluster();
    const { root, intermediate } = await newCa();
    cluster.put(resources.secrets, istioSecret(root, intermediate, { "ca-crl.pem": "CRL" }));
    const { signal } = new AbortController();
    expect(await readPluggedInSecret(api, place, signal)).toMatchObject({ rootPem: root.pem, crlPem: "CRL" });
    cluster.setFault({ kind: "status", status: 403 });
    await expect(readPluggedInSecret(api, place, signal)).rejects.toMatchObject({ code: "forbidden" });
  });
});

import { randomBytes } from "node:crypto";
import { signingCaSuite, testCaState } from "@signet/ca/testing";
import { resources, type Secret } from "@signet/kubernetes";
import { type FakeCluster, fakeKubernetes } from "@signet/kubernetes/testing";
import { FakeClock, seededRandom } from "@signet/runtime/testing";
import { parseTrustDomain } from "@signet/spiffe";
import { encodePem, parsePrivateKey, privateKeyPem, randomSerialNumber, selfSignRoot } from "@signet/x509";
import { afterEach, describe, expect, it } from "vitest";
import { openSelfSignedSecretCa, type SelfSignedSecretCaOptions } from "./open-self-signed-secret-ca.ts";
import type { SecretCa } from "./secret-ca.ts";
import { secretOfState } from "./secret-layout.ts";
import { drive, driveUntil } from "./testing/drive.ts";
import { recordEvents } from "./testing/record-events.ts";

const namespace = "istio-system";
const place = { namespace, name: "istio-ca-secret" } as const;
const cacerts = { namespace, name: "cacerts" } as const;
const trustDomain = parseTrustDomain("cluster.local");
const stop: AbortController[] = [];

afterEach(() => {
  for (const controller of stop.splice(0)) controller.abort();
});

function newCluster(clock: FakeClock = new FakeClock(new Date("2026-11-22T12:00:00Z"))) {
  const { api, cluster } = fakeKubernetes({ clock });
  cluster.put(resources.namespaces, { metadata: { name: namespace } });
  return { clock, api, cluster };
}

type TestCluster = ReturnType<typeof newCluster>;

function replica({ clock, api }: TestCluster, options: Partial<SelfSignedSecretCaOptions> = {}) {
  const controller = new AbortController();
  stop.push(controller);
  const { signal } = controller;
  const events = recordEvents();
  const all: SelfSignedSecretCaOptions = {
    ...{ api, ...place, trustDomain, keyType: "P-256", ttlMs: 315_360_000_000 },
    ...options,
  };
  const dependencies = { clock, random: seededRandom(1), randomBytes, events };
  return { events, signal, opening: openSelfSignedSecretCa(all, dependencies, signal) };
}

/** Opens the CA and follows its Secret. */
async function running(cluster: TestCluster, options: Partial<SelfSignedSecretCaOptions> = {}) {
  const { events, signal, opening } = replica(cluster, options);
  const ca = await drive(cluster.clock, opening);
  const watchesBefore = cluster.cluster.watchCount;
  ca.task.run(signal).catch(() => {});
  await driveUntil(cluster.clock, () => cluster.cluster.watchCount > watchesBefore);
  events.clear();
  return { ...ca, events };
}

const rootOf = ({ signingCa }: SecretCa): string | undefined => signingCa.trustBundle.current()?.pem;

function createsOf(cluster: FakeCluster): number {
  return cluster.requests.filter(({ method, path }) => method === "POST" && path.endsWith("/secrets")).length;
}

describe("openSelfSignedSecretCa", () => {
  it("makes a root where there is none, and keeps it as istiod does", async () => {
    const test = newCluster();
    const { opening, events } = replica(test);
    const ca = await drive(test.clock, opening);
    const secret = test.cluster.get(resources.secrets, place);
    expect(secret?.type).toBe("istio.io/ca-root");
    expect(Object.keys(secret?.data ?? {}).sort()).toEqual([
      ...["ca-cert.pem", "ca-key.pem", "cert-chain.pem", "key.pem", "root-cert.pem"],
    ]);
    expect(Buffer.from(secret?.data?.["root-cert.pem"] ?? "", "base64").toString()).toBe(rootOf(ca));
    expect(ca.secret).toBe("istio-system/istio-ca-secret");
    expect(events.names()).toEqual(["created"]);
  });

  it("signs with what the Secret holds, and changes nothing", async () => {
    const test = newCluster();
    const state = await testCaState();
    const before = test.cluster.put(resources.secrets, secretOfState(state, place));
    const { opening, events } = replica(test);
    expect(rootOf(await drive(test.clock, opening))).toBe(state.certificatePem);
    expect(test.cluster.get(resources.secrets, place)).toEqual(before);
    expect(events.names()).toEqual([]);
  });

  it("has one root however many replicas start at once", async () => {
    const test = newCluster();
    const replicas = Array.from({ length: 5 }, () => replica(test));
    const cas = await drive(test.clock, Promise.all(replicas.map(({ opening }) => opening)));
    expect(new Set(cas.map(rootOf)).size).toBe(1);
    expect(replicas.flatMap(({ events }) => events.names()).filter((name) => name === "created")).toHaveLength(1);
  });

  it("makes no root when the Secret comes back while it waits", async () => {
    const test = newCluster();
    const { opening } = replica(test);
    await test.clock.untilSleepers(1);
    const state = await testCaState();
    test.cluster.put(resources.secrets, secretOfState(state, place));
    expect(rootOf(await drive(test.clock, opening))).toBe(state.certificatePem);
    expect(createsOf(test.cluster)).toBe(0);
  });

  it("keeps a new CA in cacerts, marked, when told to, and prefers an istio-ca-secret that is there", async () => {
    const test = newCluster();
    await drive(test.clock, replica(test, { name: "cacerts" }).opening);
    expect(test.cluster.get(resources.secrets, cacerts)?.data).toHaveProperty("istio-generated", "");
    const state = await testCaState();
    test.cluster.put(resources.secrets, secretOfState(state, place));
    const ca = await drive(test.clock, replica(test, { name: "cacerts" }).opening);
    expect([rootOf(ca), ca.secret]).toEqual([state.certificatePem, "istio-system/istio-ca-secret"]);
  });

  it("refuses a plugged-in CA in the place of its own, and leaves it alone", async () => {
    const test = newCluster();
    const { "istio-generated": _, ...data } = secretOfState(await testCaState(), cacerts).data ?? {};
    const before = test.cluster.put(resources.secrets, { metadata: cacerts, data });
    const { opening } = replica(test, { name: "cacerts" });
    await expect(drive(test.clock, opening)).rejects.toMatchObject({ code: "secret-foreign" });
    expect(test.cluster.get(resources.secrets, cacerts)).toEqual(before);
  });

  it("refuses a Secret whose CA cannot be used, names it, and never replaces it", async () => {
    const test = newCluster();
    const [one, other] = [await testCaState(), await testCaState()];
    const mixed = { ...one, privateKeyPem: other.privateKeyPem };
    const before = test.cluster.put(resources.secrets, secretOfState(mixed, place));
    await expect(drive(test.clock, replica(test).opening)).rejects.toMatchObject({
      code: "ca-material-invalid",
      message: expect.stringContaining("istio-system/istio-ca-secret"),
    });
    expect(test.cluster.get(resources.secrets, place)).toEqual(before);
  });

  it.each([503, 403, 429, 500])("waits for an API server that answers %i", async (status) => {
    const test = newCluster();
    test.cluster.setFault({ kind: "status", status });
    const { opening, events } = replica(test);
    await driveUntil(test.clock, () => events.all.length >= 3);
    expect(new Set(events.names())).toEqual(new Set(["startDelayed"]));
    test.cluster.setFault(undefined);
    await drive(test.clock, opening);
    expect(events.names().at(-1)).toBe("created");
  });

  it("finds its own CA when the answer to its creation was lost", async () => {
    const test = newCluster();
    test.cluster.setFault({ kind: "truncated", only: ({ method }) => method === "POST" });
    const { opening, events } = replica(test);
    const ca = await drive(test.clock, opening);
    expect(createsOf(test.cluster)).toBe(1);
    expect(secretData(test.cluster.get(resources.secrets, place), "root-cert.pem")).toBe(rootOf(ca));
    expect(events.names()).toEqual(["startDelayed"]);
  });

  it("gives up after its deadline", async () => {
    const test = newCluster();
    test.cluster.setFault({ kind: "status", status: 503 });
    const { opening } = replica(test, { startDeadlineMs: 60_000 });
    await expect(drive(test.clock, opening)).rejects.toMatchObject({ code: "secret-unavailable" });
  });

  it("ends with the signal", async () => {
    const test = newCluster();
    test.cluster.setFault({ kind: "half-open" });
    const { opening } = replica(test);
    const reason = new Error("stop");
    stop.at(-1)?.abort(reason);
    await expect(opening).rejects.toBe(reason);
  });
});

function secretData(secret: Secret | undefined, name: string): string {
  return Buffer.from(secret?.data?.[name] ?? "", "base64").toString();
}

describe("a self-signed CA that runs", () => {
  it("writes a deleted Secret back as it was, and goes on signing", async () => {
    const test = newCluster();
    const ca = await running(test);
    const before = test.cluster.get(resources.secrets, place);
    const root = rootOf(ca);
    test.cluster.delete(resources.secrets, place);
    await driveUntil(test.clock, () => test.cluster.get(resources.secrets, place) !== undefined);
    const after = test.cluster.get(resources.secrets, place);
    expect([after?.data, after?.type]).toEqual([before?.data, before?.type]);
    expect(rootOf(ca)).toBe(root);
    expect(ca.events.names()).toEqual(["secretMissing", "secretRestored"]);
  });

  it("does so at a bounded rate, and for as long as it takes", async () => {
    const test = newCluster();
    await running(test);
    const startedAt = test.clock.now().getTime();
    let deletions = 0;
    while (test.clock.now().getTime() < startedAt + 300_000) {
      if (test.cluster.get(resources.secrets, place) !== undefined) {
        test.cluster.delete(resources.secrets, place);
        deletions += 1;
      }
      await test.clock.advance(500);
    }
    expect(deletions).toBeGreaterThanOrEqual(12);
    expect(deletions).toBeLessThanOrEqual(14);
    await driveUntil(test.clock, () => test.cluster.get(resources.secrets, place) !== undefined);
  });

  it("writes it back with the other replicas, once", async () => {
    const test = newCluster();
    const replicas = [await running(test), await running(test), await running(test)];
    const root = rootOf(replicas[0] as SecretCa);
    test.cluster.delete(resources.secrets, place);
    await test.clock.advance(60_000);
    expect(secretData(test.cluster.get(resources.secrets, place), "root-cert.pem")).toBe(root);
    const events = replicas.flatMap((each) => each.events.names());
    expect(events.filter((name) => name !== "secretMissing")).toEqual(["secretRestored"]);
    for (const ca of replicas) expect(ca.signingCa.health.current()).toEqual({ state: "good" });
  });

  it("writes it back when the API server allows it again", async () => {
    const test = newCluster();
    const ca = await running(test);
    test.cluster.setFault({ kind: "status", status: 403, only: ({ method }) => method === "POST" });
    test.cluster.delete(resources.secrets, place);
    await driveUntil(test.clock, () => ca.events.names().filter((name) => name === "restoreFailed").length > 2);
    test.cluster.setFault(undefined);
    await driveUntil(test.clock, () => test.cluster.get(resources.secrets, place) !== undefined);
    expect(ca.events.names().at(-1)).toBe("secretRestored");
  });

  it("notices a deletion that its watch did not see", async () => {
    const test = newCluster();
    const ca = await running(test);
    test.cluster.setFault({ kind: "status", status: 503 });
    test.cluster.breakWatches("cut");
    test.cluster.delete(resources.secrets, place);
    test.cluster.forgetHistory();
    await test.clock.advance(120_000);
    test.cluster.setFault(undefined);
    await driveUntil(test.clock, () => test.cluster.get(resources.secrets, place) !== undefined);
    expect(ca.events.names()).toEqual(["secretMissing", "secretRestored"]);
  });

  it("follows a root that was renewed with the same key", async () => {
    const test = newCluster();
    const ca = await running(test);
    const privateKey = secretData(test.cluster.get(resources.secrets, place), "ca-key.pem");
    const renewed = await renewRoot(privateKey);
    // As istiod leaves it: the old root stays in root-cert.pem.
    const old = rootOf(ca) ?? "";
    const state = { certificatePem: renewed, privateKeyPem: privateKey, rootCertificatesPem: old };
    test.cluster.put(resources.secrets, secretOfState(state, place));
    await driveUntil(test.clock, () => rootOf(ca) !== old);
    expect(rootOf(ca)).toBe(renewed + old);
    expect(ca.events.names()).toEqual(["adopted"]);
  });

  it("refuses another CA in its Secret, says so, and goes on with its own", async () => {
    const test = newCluster();
    const ca = await running(test);
    const root = rootOf(ca);
    test.cluster.put(resources.secrets, secretOfState(await testCaState(), place));
    await driveUntil(test.clock, () => ca.events.all.length > 0);
    expect(ca.events.names()).toEqual(["refused"]);
    expect(rootOf(ca)).toBe(root);
    expect(ca.signingCa.health.current()?.state).toBe("degraded");
  });

  it("writes back the last good Secret, not the broken one that was there at the end", async () => {
    const test = newCluster();
    const ca = await running(test);
    const good = test.cluster.get(resources.secrets, place);
    test.cluster.put(resources.secrets, { metadata: place, data: { "ca-cert.pem": "" } });
    await driveUntil(test.clock, () => ca.events.all.length > 0);
    expect(ca.events.names()).toEqual(["refused"]);
    test.cluster.delete(resources.secrets, place);
    await driveUntil(test.clock, () => test.cluster.get(resources.secrets, place) !== undefined);
    expect(test.cluster.get(resources.secrets, place)?.data).toEqual(good?.data);
    await driveUntil(test.clock, () => ca.signingCa.health.current()?.state === "good");
  });
});

async function renewRoot(privateKeyText: string): Promise<string> {
  const key = parsePrivateKey(privateKeyText);
  expect(privateKeyPem(key, "traditional")).toBe(privateKeyText);
  const root = await selfSignRoot({
    key,
    organization: trustDomain,
    notBefore: new Date("2026-11-22T12:00:00Z"),
    notAfter: new Date("2040-01-01T00:00:00Z"),
    serialNumber: randomSerialNumber(randomBytes),
  });
  return encodePem("CERTIFICATE", root);
}

const suiteClock = new FakeClock(new Date("2026-11-22T12:00:00Z"));

signingCaSuite(
  { describe, it },
  {
    name: "a self-signed CA in a Secret",
    clock: suiteClock,
    async create() {
      const { opening } = replica(newCluster(suiteClock));
      return (await drive(suiteClock, opening)).signingCa;
    },
  },
);

import { signingCaSuite, testCaState } from "@signet/ca/testing";
import { resources } from "@signet/kubernetes";
import type { FakeCluster } from "@signet/kubernetes/testing";
import { FakeClock } from "@signet/runtime/testing";
import { afterEach, describe, expect, it } from "vitest";
import { secretOfState } from "./secret-layout.ts";
import { drive, driveUntil } from "./testing/drive.ts";
import { endAll, newCluster, place, replica, rootOf, secretFile } from "./testing/secret-fixture.ts";

const cacerts = { ...place, name: "cacerts" } as const;

afterEach(endAll);

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
    expect(secretFile(test.cluster.get(resources.secrets, place), "root-cert.pem")).toBe(rootOf(ca));
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
    const { opening, abort } = replica(test);
    const reason = new Error("stop");
    abort(reason);
    await expect(opening).rejects.toBe(reason);
  });
});

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

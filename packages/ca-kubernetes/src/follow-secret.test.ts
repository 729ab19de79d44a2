import { randomBytes } from "node:crypto";
import { testCaState } from "@signet/ca/testing";
import { resources } from "@signet/kubernetes";
import { encodePem, parsePrivateKey, privateKeyPem, randomSerialNumber, selfSignRoot } from "@signet/x509";
import { afterEach, describe, expect, it } from "vitest";
import { secretOfState } from "./secret-layout.ts";
import { driveUntil } from "./testing/drive.ts";
import {
  endAll,
  newCluster,
  place,
  type RunningCa,
  rootOf,
  running,
  secretFile,
  trustDomain,
} from "./testing/secret-fixture.ts";

afterEach(endAll);

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
    const root = rootOf(replicas[0] as RunningCa);
    test.cluster.delete(resources.secrets, place);
    await test.clock.advance(60_000);
    expect(secretFile(test.cluster.get(resources.secrets, place), "root-cert.pem")).toBe(root);
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
    const privateKey = secretFile(test.cluster.get(resources.secrets, place), "ca-key.pem");
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

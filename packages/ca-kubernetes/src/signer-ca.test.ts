import { certificatePem, parseCsr } from "@signet/x509";
import { testIntermediate, testRoot } from "@signet/x509/testing";
import { afterEach, describe, expect, it } from "vitest";
import { endAll, expectNothingLeft, key, newCa, readyCa, requestOf, sign, spiffeId } from "./testing/csr-fixture.ts";
import { drive, driveUntil } from "./testing/drive.ts";

const { signal } = new AbortController();

afterEach(endAll);

describe("the root of a signer", () => {
  it("is learned by a certificate for nobody, before anyone is served", async () => {
    const test = await newCa();
    expect([test.ca.trustBundle.current(), test.ca.notAfterLimit()]).toEqual([undefined, undefined]);
    expect(test.ca.health.current()?.state).toBe("failing");
    await driveUntil(test.clock, () => test.ca.health.current()?.state === "good");
    expect(test.ca.trustBundle.current()?.pem).toBe(test.signer.root.pem);
    expect(test.ca.chain().map(certificatePem)).toEqual([test.signer.intermediate.pem]);
    expect(test.ca.signingKeyInfo()).toEqual({ kind: "ec", curve: "P-256" });
    expect(test.signer.seen).toHaveLength(1);
    expect(nameIn(test.signer.seen[0]?.spec.request ?? "")).toBe("spiffe://cluster.local/signet/canary");
    await expectNothingLeft(test);
    await test.clock.advance(3_600_000);
    expect(test.signer.seen).toHaveLength(1);
  });

  it("is looked for until the signer signs, ever more rarely", async () => {
    const test = await newCa();
    test.signer.setMood({ kind: "fail" });
    await test.clock.advance(600_000);
    const failures = test.events.names().filter((name) => name === "probeFailed").length;
    expect(failures).toBeGreaterThan(5);
    expect(failures).toBeLessThan(60);
    expect(test.ca.health.current()).toEqual({ state: "failing", reason: "the signer does not sign" });
    test.signer.setMood({ kind: "sign" });
    await driveUntil(test.clock, () => test.ca.health.current()?.state === "good");
  });

  it("may change: the first certificate under it is not handed out, the next one is", async () => {
    const test = await readyCa();
    const old = test.ca.trustBundle.current()?.pem;
    const next = await testRoot({ trustDomain: "next" });
    test.signer.replaceCa(next, await testIntermediate(next));
    await expect(drive(test.clock, sign(test))).rejects.toMatchObject({ code: "signer-unavailable" });
    expect(test.ca.trustBundle.current()?.pem).toBe(`${next.pem}${old}`);
    expect((await drive(test.clock, sign(test)))[0].spki).toEqual(key.spki);
    expect(test.events.names().filter((name) => name === "rootLearned")).toHaveLength(2);
  });

  it("limits what is signed to the life of the issuer, and is asked anew when that is about to end", async () => {
    const root = await testRoot({ notAfter: new Date("2030-01-01T00:00:00Z") });
    const test = await newCa({ rootPem: root.pem, quiet: true });
    const shortLived = await testIntermediate(root, { notAfter: new Date("2026-11-22T16:00:00Z") });
    test.signer.replaceCa(root, shortLived);
    expect(test.ca.notAfterLimit()).toEqual(new Date("2030-01-01T00:00:00Z"));
    await drive(test.clock, sign(test));
    expect(test.ca.notAfterLimit()).toEqual(new Date("2026-11-22T16:00:00Z"));
    await expect(test.ca.sign(requestOf(test, 86_400), signal)).rejects.toMatchObject({ code: "signing-failed" });
    test.clock.jump(4 * 3_600_000 - 1_000_000);
    test.signer.replaceCa(root, await testIntermediate(root));
    expect(test.ca.notAfterLimit()).toEqual(new Date("2030-01-01T00:00:00Z"));
    expect((await drive(test.clock, test.ca.sign(requestOf(test, 86_400), signal)))[0].spki).toEqual(key.spki);
  });

  it("recovers from a signer that failed for a while without anybody asking", async () => {
    const test = await readyCa();
    test.signer.setMood({ kind: "fail" });
    for (let call = 0; call < 3; call++) await drive(test.clock, sign(test)).catch(() => {});
    await driveUntil(test.clock, () => test.ca.health.current()?.state === "failing");
    test.signer.setMood({ kind: "sign" });
    await driveUntil(test.clock, () => test.ca.health.current()?.state === "good");
  });

  it("is not taken for failing because one caller is refused again and again", async () => {
    const test = await readyCa();
    test.signer.setMood(({ spec }) => (nameIn(spec.request) === spiffeId ? { kind: "fail" } : { kind: "sign" }));
    const states = new Set<string | undefined>();
    for (let call = 0; call < 30; call++) {
      await drive(test.clock, sign(test)).catch(() => {});
      states.add(test.ca.health.current()?.state);
      await test.clock.advance(1_000);
    }
    expect(states).toEqual(new Set(["good", "degraded"]));
    const probes = test.signer.seen.filter(({ spec }) => nameIn(spec.request) !== spiffeId).length;
    expect(probes).toBeLessThanOrEqual(10);
  });

  it("is not taken for failing because probes are refused, where the root is known", async () => {
    const root = await testRoot();
    const test = await newCa({ rootPem: root.pem });
    test.signer.replaceCa(root, await testIntermediate(root));
    test.signer.setMood(({ spec }) => (nameIn(spec.request) === spiffeId ? { kind: "sign" } : { kind: "fail" }));
    await driveUntil(test.clock, () => test.events.names().filter((name) => name === "probeFailed").length > 3);
    expect(test.ca.health.current()?.state).toBe("degraded");
    await drive(test.clock, sign(test));
    expect(test.ca.health.current()).toEqual({ state: "good" });
    const before = test.signer.seen.length;
    await test.clock.advance(3_600_000);
    expect(test.signer.seen).toHaveLength(before);
  });

  it("keeps its health when callers ask for what cannot be", async () => {
    const test = await readyCa();
    for (let call = 0; call < 5; call++) await test.ca.sign(requestOf(test, 60), signal).catch(() => {});
    expect(test.ca.health.current()).toEqual({ state: "good" });
  });
});

/** The one name that a request asks for. */
function nameIn(request: string): string | undefined {
  const [name] = parseCsr(Buffer.from(request, "base64").toString()).requestedSubjectAltNames;
  return name?.kind === "uri" ? name.value : undefined;
}

import { FakeClock } from "@signet/runtime/testing";
import { parseTrustDomain } from "@signet/spiffe";
import { beforeAll, describe, expect, it } from "vitest";
import { fakeSigningCa } from "../testing.ts";
import { type Canary, createCanary, signCanary } from "./canary.ts";

const clock = new FakeClock(new Date("2026-11-01T12:00:00Z"));
const signal = new AbortController().signal;
let canary: Canary;

beforeAll(async () => {
  canary = await createCanary({ trustDomain: parseTrustDomain("cluster.local") });
});

describe("signCanary", () => {
  it("has a certificate of one minute signed, for a name no workload has", async () => {
    const signingCa = await fakeSigningCa();
    await signCanary(signingCa, { canary, clock }, signal);
    expect(signingCa.requests).toMatchObject([
      {
        csr: canary.csr,
        template: {
          subjectAltNames: [{ kind: "uri", value: "spiffe://cluster.local/signet/canary" }],
          notBefore: new Date("2026-11-01T11:58:00Z"),
          notAfter: new Date("2026-11-01T12:01:00Z"),
        },
      },
    ]);
  });

  it("has it signed for longer where the backend takes no minute", async () => {
    const signingCa = await fakeSigningCa();
    await signCanary({ ...signingCa, canaryTtlMs: 660_000 }, { canary, clock }, signal);
    expect(signingCa.requests).toMatchObject([{ template: { notAfter: new Date("2026-11-01T12:11:00Z") } }]);
  });

  it("says when nothing can be signed", async () => {
    const signingCa = await fakeSigningCa();
    signingCa.setNotAfterLimit(undefined);
    await expect(signCanary(signingCa, { canary, clock }, signal)).rejects.toMatchObject({ code: "ca-not-ready" });
    signingCa.setNotAfterLimit(new Date("2026-11-01T11:00:00Z"));
    await expect(signCanary(signingCa, { canary, clock }, signal)).rejects.toMatchObject({ code: "ca-expired" });
    signingCa.setNotAfterLimit(new Date("2030-01-01"));
    signingCa.failWith(new Error("sealed"));
    await expect(signCanary(signingCa, { canary, clock }, signal)).rejects.toMatchObject({ code: "signing-failed" });
    signingCa.failWith(undefined);
    await expect(signCanary(signingCa, { canary, clock }, signal)).resolves.toBeUndefined();
  });

  it("checks the certificate like any other", async () => {
    const stranger = await fakeSigningCa();
    const strange = await stranger.sign({ template: { ...template(), spki: canary.csr.spki } }, signal);
    const faulty = await fakeSigningCa({ alter: () => strange });
    await expect(signCanary(faulty, { canary, clock }, signal)).rejects.toMatchObject({ code: "issued-svid-mismatch" });
  });
});

function template() {
  return {
    subjectAltNames: [{ kind: "uri", value: canary.spiffeId }],
    notBefore: new Date("2026-11-01T11:58:00Z"),
    notAfter: new Date("2026-11-01T12:01:00Z"),
  } as const;
}

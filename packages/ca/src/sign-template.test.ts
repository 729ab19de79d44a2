import { FakeClock } from "@signet/runtime/testing";
import { parseSpiffeId } from "@signet/spiffe";
import { createCsr, generateKeyPair, parseCsr } from "@signet/x509";
import { describe, expect, it } from "vitest";
import { buildSvidTemplate } from "./build-svid-template.ts";
import { signTemplate } from "./sign-template.ts";
import { fakeSigningCa } from "./testing.ts";

const signal = new AbortController().signal;
const now = new Date("2026-11-01T12:00:00Z");
const spiffeId = parseSpiffeId("spiffe://cluster.local/ns/demo/sa/frontend");
const csr = parseCsr(createCsr({ key: await generateKeyPair("P-256"), spiffeId }));

/** Has a CA that takes `tookMs` sign a template of one hour, and date it when it is done. */
async function signSlowly(tookMs: number, options: { readonly clockAheadMs?: number; readonly keyIsLocal: boolean }) {
  const clock = new FakeClock(now);
  const lifetime = { notBefore: new Date("2026-11-01T11:58:00Z"), notAfter: new Date("2026-11-01T13:00:00Z") };
  const template = buildSvidTemplate({ csr, spiffeId, lifetime });
  const real = await fakeSigningCa({ keyIsLocal: options.keyIsLocal });
  const signingCa = {
    ...real,
    sign: async () => {
      clock.jump(tookMs);
      const notBefore = new Date(clock.now().getTime() + (options.clockAheadMs ?? 0));
      return await real.sign({ template: { ...template, notBefore } }, signal);
    },
  };
  return await signTemplate({ template }, { signingCa, at: now, clock }, signal);
}

describe("signTemplate", () => {
  it("judges a certificate from elsewhere at the instant it came", async () => {
    const { chain } = await signSlowly(30_000, { keyIsLocal: false });
    expect(chain[0].notBefore.toISOString()).toBe("2026-11-01T12:00:30.000Z");
  });

  it("allows a backend's clock to be a minute ahead, and no more", async () => {
    const ahead = (clockAheadMs: number) => signSlowly(30_000, { keyIsLocal: false, clockAheadMs });
    await expect(ahead(60_000)).resolves.toBeDefined();
    await expect(ahead(61_000)).rejects.toMatchObject({ code: "issued-svid-mismatch" });
  });

  it("refuses a certificate that took longer to come than it is valid", async () => {
    const slow = signSlowly(3_600_000, { keyIsLocal: false, clockAheadMs: -1000 });
    await expect(slow).rejects.toMatchObject({ code: "issued-svid-mismatch" });
  });

  it("takes exactly the template's times from a key in this process", async () => {
    const signed = signSlowly(30_000, { keyIsLocal: true });
    await expect(signed).rejects.toMatchObject({ code: "issued-svid-mismatch" });
  });
});

import { createAdmission } from "@signet/ca";
import { fakeSigningCa } from "@signet/ca/testing";
import { Status } from "@signet/grpc";
import { FakeClock } from "@signet/runtime/testing";
import { describe, expect, it } from "vitest";
import { callCertificateService } from "./testing/certificate-bench.ts";

describe("one call of the CA RPC", () => {
  it("ends in time, whatever the client and the signing CA do", async () => {
    const clock = new FakeClock();
    const signingCa = { ...(await fakeSigningCa()), sign: () => new Promise<never>(() => {}) };
    const answer = callCertificateService({ signingCa, clock });
    await clock.untilSleepers(1);
    await clock.advance(60_000);
    const { code, log } = await answer;
    expect(code).toBe(Status.DEADLINE_EXCEEDED);
    expect(log).toMatchObject([{ message: "certificate request timed out", fields: { deadlineMs: 60_000 } }]);
  });

  it("leaves no timer behind", async () => {
    const clock = new FakeClock();
    expect((await callCertificateService({ clock })).code).toBe("OK");
    expect(clock.sleepers()).toBe(0);
  });

  it("is turned away where too many wait for a signature", async () => {
    const admission = createAdmission({ maxConcurrent: 1, maxQueued: 0 });
    const gate = Promise.withResolvers<void>();
    const running = admission.run(() => gate.promise, new AbortController().signal);
    const { code, log } = await callCertificateService({ admission });
    expect(code).toBe(Status.RESOURCE_EXHAUSTED);
    expect(log).toMatchObject([{ message: "certificate refused", fields: { code: "overloaded" } }]);
    gate.resolve();
    await running;
    expect((await callCertificateService({ admission })).code).toBe("OK");
  });

  it("is signed by the signer that it names, where there is a choice", async () => {
    const [usual, chosen] = [await fakeSigningCa(), await fakeSigningCa({ name: "chosen" })];
    const asked: string[] = [];
    const signerFor = async (certSigner: string) => {
      asked.push(certSigner);
      return chosen;
    };
    const call = { signingCa: usual, signerFor };
    const { chain } = await callCertificateService({ ...call, metadata: { CertSigner: "mesh" } });
    expect(chain.at(-1)).toBe(chosen.trustBundle.current()?.pem);
    for (const metadata of [{ CertSigner: "" }, { CertSigner: 7 }, {}]) {
      expect((await callCertificateService({ ...call, metadata })).chain.at(-1)).toBe(usual.trustBundle.current()?.pem);
    }
    expect(asked).toEqual(["mesh"]);
  });
});

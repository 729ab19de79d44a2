import { FakeClock } from "@signet/runtime/testing";
import { parseTrustDomain } from "@signet/spiffe";
import { describe, expect, it } from "vitest";
import { CaError } from "../errors.ts";
import { fakeSigningCa } from "../testing.ts";
import { createCanary } from "./canary.ts";
import { type CanaryProbeOptions, createCanaryProbe } from "./canary-probe.ts";

const canary = await createCanary({ trustDomain: parseTrustDomain("cluster.local") });
const never = new AbortController().signal;
const sealed = new CaError("signer-unavailable", "sealed");

async function setUp(keyIsLocal: boolean, options: Partial<CanaryProbeOptions> = {}) {
  const clock = new FakeClock(new Date("2026-11-01T12:00:00Z"));
  const signingCa = await fakeSigningCa({ keyIsLocal });
  const probe = createCanaryProbe({ signingCa, canary, ...options }, clock);
  return { clock, signingCa, check: (signal = never) => probe.check(signal) };
}

describe("createCanaryProbe", () => {
  it.each([
    [true, 3_000],
    [false, 10_000],
  ])("asks a CA whose key is local (%s) once in %d ms, however many want to know", async (keyIsLocal, freshMs) => {
    const { clock, signingCa, check } = await setUp(keyIsLocal);
    await Promise.all([check(), check(), check()]);
    await clock.advance(freshMs - 1);
    await check();
    expect(signingCa.requests).toHaveLength(1);
    await clock.advance(1);
    await check();
    expect(signingCa.requests).toHaveLength(2);
  });

  it("says what the canary failed with, and sees soon that it fails no more", async () => {
    const { clock, signingCa, check } = await setUp(false);
    signingCa.failWith(sealed);
    await expect(check()).rejects.toBe(sealed);
    signingCa.failWith(undefined);
    await clock.advance(2_999);
    await expect(check()).rejects.toBe(sealed);
    await clock.advance(1);
    await expect(check()).resolves.toBeUndefined();
    expect(signingCa.requests).toHaveLength(2);
  });

  it("asks again when the wall clock was set back", async () => {
    const { clock, signingCa, check } = await setUp(false);
    await check();
    clock.jump(-60_000);
    await check();
    expect(signingCa.requests).toHaveLength(2);
  });

  it("waits for a slow CA once, up to the deadline", async () => {
    const { clock, signingCa } = await setUp(false);
    let asked = 0;
    const stalled = {
      ...signingCa,
      sign: () => {
        asked++;
        return new Promise<never>(() => {});
      },
    };
    const probe = createCanaryProbe({ signingCa: stalled, canary, freshMs: 1_000, deadlineMs: 4_000 }, clock);
    const first = probe.check(never).catch((error: unknown) => error);
    await clock.advance(3_999);
    const second = probe.check(never).catch((error: unknown) => error);
    await clock.advance(1);
    expect(await Promise.all([first, second])).toMatchObject([
      { code: "deadline-exceeded" },
      { code: "deadline-exceeded" },
    ]);
    expect(asked).toBe(1);
  });

  it("goes on for the others when one who asks goes away", async () => {
    const { check, signingCa } = await setUp(false);
    const controller = new AbortController();
    const reason = new Error("probe gave up");
    const [leaving, staying] = [check(controller.signal), check()];
    controller.abort(reason);
    await expect(leaving).rejects.toBe(reason);
    await expect(staying).resolves.toBeUndefined();
    await expect(check(controller.signal)).rejects.toBe(reason);
    expect(signingCa.requests).toHaveLength(1);
  });
});

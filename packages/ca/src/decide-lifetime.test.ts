import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decideLifetime, type LifetimeRequest } from "./decide-lifetime.ts";

const hourMs = 3_600_000;
const now = new Date("2026-11-01T12:00:00.750Z");
const request: LifetimeRequest = {
  requestedSeconds: 0n,
  limits: { defaultTtlMs: 24 * hourMs, maxTtlMs: 2160 * hourMs },
  now,
  notAfterLimit: new Date("2036-01-01T00:00:00Z"),
};

describe("decideLifetime", () => {
  it.each<{ name: string; change: Partial<LifetimeRequest>; notAfter: string }>([
    { name: "the default for zero", change: {}, notAfter: "2026-11-02T12:00:00.000Z" },
    { name: "the default for a negative", change: { requestedSeconds: -1n }, notAfter: "2026-11-02T12:00:00.000Z" },
    {
      name: "the default for the lowest int64",
      change: { requestedSeconds: -(2n ** 63n) },
      notAfter: "2026-11-02T12:00:00.000Z",
    },
    { name: "what is asked for", change: { requestedSeconds: 90n }, notAfter: "2026-11-01T12:01:30.000Z" },
    { name: "one second", change: { requestedSeconds: 1n }, notAfter: "2026-11-01T12:00:01.000Z" },
    { name: "the maximum", change: { requestedSeconds: 7_776_000n }, notAfter: "2027-01-30T12:00:00.000Z" },
    {
      name: "the signing CA's limit where that is nearer",
      change: { notAfterLimit: new Date("2026-11-01T12:00:10.900Z") },
      notAfter: "2026-11-01T12:00:10.000Z",
    },
    {
      name: "the maximum where the default is above it",
      change: { limits: { defaultTtlMs: 5 * hourMs, maxTtlMs: hourMs } },
      notAfter: "2026-11-01T13:00:00.000Z",
    },
  ])("ends after $name", ({ change, notAfter }) => {
    expect(decideLifetime({ ...request, ...change }).notAfter.toISOString()).toBe(notAfter);
  });

  it("begins two minutes ago, on a whole second", () => {
    expect(decideLifetime(request).notBefore.toISOString()).toBe("2026-11-01T11:58:00.000Z");
  });

  it.each<{ requestedSeconds: bigint; message: string }>([
    { requestedSeconds: 7_776_001n, message: "requested lifetime 2160h0m1s exceeds 2160h0m0s" },
    // In nanoseconds of 64 bits this wraps to a negative number.
    { requestedSeconds: 10_000_000_000n, message: "requested lifetime 2777777h46m40s exceeds 2160h0m0s" },
    { requestedSeconds: 2n ** 63n - 1n, message: "requested lifetime 2562047788015215h30m7s exceeds 2160h0m0s" },
  ])("refuses $requestedSeconds seconds", ({ requestedSeconds, message }) => {
    expect(() => decideLifetime({ ...request, requestedSeconds })).toThrow(
      expect.objectContaining({ code: "ttl-too-long", message }),
    );
  });

  it.each([
    ["passed", new Date("2026-11-01T11:59:59Z")],
    ["now", new Date(now)],
    ["within this second", new Date("2026-11-01T12:00:00.900Z")],
    ["no date", new Date(Number.NaN)],
  ])("refuses to sign when the limit is %s", (_, notAfterLimit) => {
    expect(() => decideLifetime({ ...request, notAfterLimit })).toThrow(
      expect.objectContaining({ code: "ca-expired" }),
    );
  });

  it("never exceeds the limit nor the maximum, begins two minutes ago, and counts whole seconds", () => {
    const instants = fc.date({ min: new Date("2000-01-01"), max: new Date("2100-01-01"), noInvalidDate: true });
    const ttls = fc.integer({ min: 1000, max: 2160 * hourMs });
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), ttls, ttls, instants, instants, check),
      { numRuns: 500 },
    );
    fc.assert(fc.property(fc.bigInt({ min: 0n, max: 8_000_000n }), ttls, ttls, instants, instants, check), {
      numRuns: 2000,
    });
  });
});

function check(requestedSeconds: bigint, defaultTtlMs: number, maxTtlMs: number, at: Date, notAfterLimit: Date): void {
  const lifetime = decided({ requestedSeconds, limits: { defaultTtlMs, maxTtlMs }, now: at, notAfterLimit });
  if (lifetime === undefined) return;
  const { notBefore, notAfter } = lifetime;
  expect(notAfter.getTime()).toBeLessThanOrEqual(notAfterLimit.getTime());
  expect(notAfter.getTime()).toBeLessThanOrEqual(at.getTime() + maxTtlMs);
  expect(notAfter.getTime()).toBeGreaterThan(at.getTime());
  expect(notBefore.getTime()).toBe(Math.floor(at.getTime() / 1000) * 1000 - 120_000);
  expect(notAfter.getTime() % 1000).toBe(0);
}

function decided(from: LifetimeRequest): { notBefore: Date; notAfter: Date } | undefined {
  try {
    return decideLifetime(from);
  } catch (error) {
    const tooLong = from.requestedSeconds * 1000n > BigInt(from.limits.maxTtlMs);
    const expired = Math.floor(from.notAfterLimit.getTime() / 1000) * 1000 <= from.now.getTime();
    if (!tooLong && !expired) throw error;
    return undefined;
  }
}

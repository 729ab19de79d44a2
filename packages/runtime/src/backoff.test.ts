import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createBackoff } from "./backoff.ts";
import { seededRandom } from "./testing.ts";

const almostOne = (): number => 1 - 2 ** -53;

describe("createBackoff", () => {
  it("doubles the ceiling up to the maximum, and begins again after reset", () => {
    const backoff = createBackoff({ initialMs: 100, maxMs: 500 }, almostOne);
    const waits = Array.from({ length: 5 }, () => Math.round(backoff.nextMs() / 10) * 10);
    expect(waits).toEqual([100, 200, 400, 500, 500]);
    backoff.reset();
    expect(backoff.nextMs()).toBeLessThanOrEqual(100);
  });

  it("is uniform from zero", () => {
    expect(createBackoff({ initialMs: 100, maxMs: 500 }, () => 0).nextMs()).toBe(0);
    expect(createBackoff({ initialMs: 100, maxMs: 500 }, () => 0.5).nextMs()).toBe(50);
  });

  it("never exceeds its bounds", () => {
    const inputs = fc.record({
      initialMs: fc.integer({ min: 1, max: 10_000 }),
      extraMs: fc.integer({ min: 0, max: 100_000 }),
      factor: fc.double({ min: 1, max: 10, noNaN: true }),
      floor: fc.double({ min: 0, max: 1, noNaN: true }),
      seed: fc.integer(),
      caps: fc.array(fc.option(fc.integer({ min: 0, max: 200_000 }), { nil: undefined }), { maxLength: 40 }),
    });
    fc.assert(
      fc.property(inputs, ({ initialMs, extraMs, factor, floor, seed, caps }) => {
        const maxMs = initialMs + extraMs;
        const minMs = Math.floor(maxMs * floor);
        const backoff = createBackoff({ initialMs, maxMs, factor, minMs }, seededRandom(seed));
        for (const [attempt, cap] of caps.entries()) {
          const wait = cap === undefined ? backoff.nextMs() : backoff.nextMs(cap);
          const ceiling = Math.max(minMs, Math.min(maxMs, initialMs * factor ** attempt));
          expect(wait).toBeLessThanOrEqual(Math.min(Math.ceil(ceiling), cap ?? maxMs));
          expect(wait).toBeGreaterThanOrEqual(Math.min(minMs, cap ?? minMs));
          expect(Number.isInteger(wait)).toBe(true);
        }
      }),
    );
  });

  it("stays at its maximum for ever, without overflow", () => {
    const backoff = createBackoff({ initialMs: 1, maxMs: 60_000, factor: 1e300 }, almostOne);
    for (let attempt = 0; attempt < 5_000; attempt += 1) backoff.nextMs();
    expect(backoff.nextMs()).toBe(59_999);
  });

  it.each([
    { initialMs: 0, maxMs: 100 },
    { initialMs: 200, maxMs: 100 },
    { initialMs: 10, maxMs: 100, factor: 0.5 },
    { initialMs: 10, maxMs: 100, minMs: 101 },
    { initialMs: 10, maxMs: 100, minMs: -1 },
    { initialMs: Number.NaN, maxMs: 100 },
    { initialMs: 10, maxMs: Number.POSITIVE_INFINITY },
    { initialMs: 10, maxMs: 100, factor: Number.NaN },
    { initialMs: 10, maxMs: 100, factor: Number.POSITIVE_INFINITY },
  ])("refuses $initialMs, $maxMs, $minMs, $factor", (options) => {
    expect(() => createBackoff(options, almostOne)).toThrow(expect.objectContaining({ code: "argument-invalid" }));
  });
});

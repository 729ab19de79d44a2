import { FakeClock } from "@signet/runtime/testing";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  decideAttemptMs,
  decideClockAheadMs,
  decideLeftMs,
  decidePublication,
  decideRenewalMs,
  decideRetryCapMs,
  decideRetryMs,
  decideTickMs,
  followingBackwardSteps,
} from "./rotation-schedule.ts";

const start = new Date("2026-03-01T12:00:00Z");
const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;

function after(ms: number): Date {
  return new Date(start.getTime() + ms);
}

const half = { graceRatio: 0.5, graceRatioJitter: 0.01 };
const noJitter = (graceRatio: number) => ({ graceRatio, graceRatioJitter: 0 });

describe("decideLeftMs", () => {
  it.each([
    ["a day, backdated by two minutes", -2 * minute, 24 * hour, 24 * hour, 24 * hour],
    ["less than was asked for", -2 * minute, hour, 24 * hour, hour],
    ["more than was asked for", -2 * minute, 48 * hour, 24 * hour, 48 * hour],
    ["expired", -2 * hour, -hour, 24 * hour, -hour],
    ["not valid yet: our clock is behind", hour - 2 * minute, hour + 10 * second, 10 * second, 10 * second],
    ["not valid yet, and the CA gave less", hour, hour + minute, 24 * hour, minute],
  ])("%s", (_title, notBeforeMs, notAfterMs, requestedTtlMs, expected) => {
    const validity = { notBefore: after(notBeforeMs), notAfter: after(notAfterMs) };
    expect(decideLeftMs({ receivedAt: start, validity, requestedTtlMs })).toBe(expected);
  });
});

describe("decideRenewalMs", () => {
  it.each([
    ["half of a day", 24 * hour, half, 0.5, 12 * hour],
    ["the most jitter later", 24 * hour, half, 0, 24 * hour * 0.51],
    ["the most jitter sooner", 24 * hour, half, 1, 24 * hour * 0.49],
    ["half of ten seconds", 10 * second, half, 0.5, 5 * second],
    ["a fifth in reserve", 10 * second, noJitter(0.2), 0.5, 8 * second],
    ["everything in reserve: at once, but not in a loop without pauses", 10 * second, noJitter(1), 0.5, 500],
    ["nothing in reserve: at the end", 10 * second, noJitter(0), 0.5, 10 * second],
    ["a ratio that jitter would push below zero", 10 * second, { graceRatio: 0, graceRatioJitter: 1 }, 0, 10 * second],
    ["a ratio that jitter would push above one", 10 * second, { graceRatio: 1, graceRatioJitter: 1 }, 1, 500],
    ["what is left at the CA's own end", 100, half, 0.5, 500],
    ["expired on arrival", -hour, half, 0.5, 500],
  ])("%s", (_title, leftMs, policy, random, expected) => {
    expect(decideRenewalMs(leftMs, policy, () => random)).toBeCloseTo(expected);
  });

  it("stays within the lifetime and within the jitter for every draw", () => {
    const draw = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(fc.integer({ min: 2 * second, max: 90 * 24 * hour }), draw, (leftMs, random) => {
        const share = decideRenewalMs(leftMs, half, () => random) / leftMs;
        expect(share).toBeGreaterThanOrEqual(0.49 - 0.001);
        expect(share).toBeLessThanOrEqual(0.51 + 0.001);
      }),
    );
  });
});

describe("decideTickMs", () => {
  it.each([
    [24 * hour, 15 * second],
    [5 * minute, 15 * second],
    [minute, 3 * second],
    [5 * second, 250],
    [100, 50],
    [-1, 50],
  ])("with %i ms left looks at the clock every %i ms", (leftMs, expected) => {
    expect(decideTickMs(leftMs)).toBe(expected);
  });
});

describe("decideRetryCapMs", () => {
  it.each([
    ["12 hours left of a day", 12 * hour, 24 * hour, minute],
    ["5 minutes left of a day", 5 * minute, 24 * hour, 30 * second],
    ["a second left of a day: a fleet must not become a storm", second, 24 * hour, second],
    ["expired, of a day", 0, 24 * hour, 15 * second],
    ["nothing yet, of a day", undefined, 24 * hour, 15 * second],
    ["5 seconds left of 10", 5 * second, 10 * second, 500],
    ["10 milliseconds left of 10 seconds", 10, 10 * second, 50],
    ["expired, of 10 seconds", -hour, 10 * second, second],
  ])("%s", (_title, leftMs, requestedTtlMs, expected) => {
    const notAfter = leftMs === undefined ? undefined : after(leftMs);
    expect(decideRetryCapMs({ now: start, notAfter, requestedTtlMs })).toBe(expected);
  });
});

describe("decideRetryMs", () => {
  it.each([
    ["what backoff says, without a pushback", 700, 0, hour, 700],
    ["what the CA asks for, where that is more, and a little more still", 700, 10 * second, hour, 10_500],
    ["what backoff says, where that is more", 20 * second, 10 * second, hour, 20 * second],
    ["no more than a third of what is left", 700, 10 * minute, 6 * minute, 2 * minute],
    ["no more than a minute without a valid SVID", 700, hour, -second, minute],
    ["no more than that for a CA that wants no more attempts", 700, Number.POSITIVE_INFINITY, hour, 20 * minute],
  ])("is %s", (_title, backoffMs, pushbackMs, leftMs, expected) => {
    expect(decideRetryMs({ backoffMs, pushbackMs, leftMs }, () => 0.5)).toBe(expected);
  });
});

describe("decideClockAheadMs", () => {
  it.each([
    ["the same time", 0, 200, 0, 0],
    ["a slow answer, signed at its end", 0, 5_000, 4_900, 0],
    ["a second cut off", 900, 1_100, 0, 0],
    ["a clock that is an hour ahead", hour, hour + 200, 0, hour - second],
    ["a clock that is an hour behind", 0, 200, hour, 200 - hour],
  ])("%s", (_title, askedMs, receivedMs, signedMs, expected) => {
    const instants = { askedAt: after(askedMs), receivedAt: after(receivedMs), signedAt: after(signedMs) };
    expect(decideClockAheadMs(instants)).toBe(expected);
  });
});

describe("decideAttemptMs", () => {
  it.each([
    [undefined, 10 * second],
    [12 * hour, 10 * second],
    [15 * second, 5 * second],
    [second, second],
    [-second, 10 * second],
  ])("with %s ms left gives an attempt %i ms", (leftMs, expected) => {
    expect(decideAttemptMs(start, leftMs === undefined ? undefined : after(leftMs))).toBe(expected);
  });
});

describe("decidePublication", () => {
  const current = { notBefore: after(-hour), notAfter: after(hour) };

  it.each([
    ["valid already", after(-1), current, undefined],
    ["valid from now", start, current, undefined],
    ["not valid yet, and nothing else to serve", after(minute), undefined, undefined],
    [
      "not valid yet, and the current one has expired",
      after(minute),
      { notBefore: after(-hour), notAfter: start },
      undefined,
    ],
    [
      "not valid yet, nor is the current one: our clock is wrong",
      after(hour),
      { notBefore: after(minute), notAfter: after(2 * hour) },
      undefined,
    ],
    ["not valid yet: waits for its time", after(minute), current, after(minute)],
    [
      "not valid yet: waits no longer than half of what the CA's time leaves",
      after(50 * minute),
      current,
      after(5 * minute),
    ],
    ["not valid yet, and by the CA's time the current one is over", after(2 * hour), current, undefined],
  ])("%s", (_title, notBefore, served, expected) => {
    expect(decidePublication({ now: start, notBefore, current: served })).toEqual(expected);
  });
});

describe("followingBackwardSteps", () => {
  it("moves with every step back and with no step forward", () => {
    const clock = new FakeClock(start);
    const at = followingBackwardSteps(clock, after(hour));
    expect(at()).toEqual(after(hour));
    clock.jump(-30 * minute);
    expect(at()).toEqual(after(30 * minute));
    clock.jump(10 * minute);
    expect(at()).toEqual(after(30 * minute));
    clock.jump(-minute);
    expect(at()).toEqual(after(29 * minute));
  });
});

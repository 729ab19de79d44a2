import { getEventListeners } from "node:events";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { sleepUntil, systemClock } from "./clock.ts";
import { FakeClock } from "./testing.ts";

const never = new AbortController().signal;
const start = new Date("2026-01-01T00:00:00Z");
const after = (ms: number): Date => new Date(start.getTime() + ms);

/** Whether a promise has settled, asked without waiting for it. */
function watch(promise: Promise<unknown>): { settled: boolean } {
  const state = { settled: false };
  const settle = (): void => {
    state.settled = true;
  };
  promise.then(settle, settle);
  return state;
}

describe("systemClock", () => {
  it("sleeps about as long as it is told", async () => {
    const begin = performance.now();
    await systemClock.sleep(20, never);
    expect(performance.now() - begin).toBeGreaterThanOrEqual(19);
  });

  it("rejects with the reason and leaves neither listener nor timer behind on abort", async () => {
    const stop = new AbortController();
    const timersBefore = process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
    const nap = systemClock.sleep(60_000, stop.signal);
    expect(getEventListeners(stop.signal, "abort")).toHaveLength(1);
    stop.abort("enough");
    await expect(nap).rejects.toBe("enough");
    expect(getEventListeners(stop.signal, "abort")).toHaveLength(0);
    expect(process.getActiveResourcesInfo().filter((name) => name === "Timeout")).toHaveLength(timersBefore);
  });

  it("leaves no listener behind when it wakes", async () => {
    const stop = new AbortController();
    await systemClock.sleep(1, stop.signal);
    expect(getEventListeners(stop.signal, "abort")).toHaveLength(0);
  });

  it.each([
    ["30 days", 30 * 86_400_000],
    ["Infinity", Number.POSITIVE_INFINITY],
  ])("does not wake at once from %s, which is longer than one timer", async (_, ms) => {
    const warnings: string[] = [];
    const listen = (warning: Error): void => void warnings.push(warning.name);
    process.on("warning", listen);
    const stop = new AbortController();
    const state = watch(systemClock.sleep(ms, stop.signal));
    await systemClock.sleep(20, never);
    process.off("warning", listen);
    expect(state.settled).toBe(false);
    // A timer that overflows fires after 1ms, again and again, and Node says so.
    expect(warnings).toEqual([]);
    stop.abort();
  });

  it("rejects at once when aborted before", async () => {
    await expect(systemClock.sleep(60_000, AbortSignal.abort("gone"))).rejects.toBe("gone");
  });

  it("refuses NaN, which a timer would take for 1ms", async () => {
    await expect(systemClock.sleep(Number.NaN, never)).rejects.toMatchObject({ code: "argument-invalid" });
  });
});

describe("sleepUntil", () => {
  it("returns exactly at the instant when the wall clock is steady", async () => {
    const clock = new FakeClock(start);
    const state = watch(sleepUntil(clock, after(100_000), {}, never));
    await clock.advance(99_999);
    expect(state.settled).toBe(false);
    await clock.advance(1);
    expect(state.settled).toBe(true);
  });

  it("returns at once when the instant has passed", async () => {
    await sleepUntil(new FakeClock(start), after(0), {}, never);
  });

  it("notices a step forwards at the next tick", async () => {
    const clock = new FakeClock(start);
    const state = watch(sleepUntil(clock, after(3_600_000), { tickMs: 1_000 }, never));
    await clock.advance(500);
    clock.jump(7_200_000);
    await clock.advance(499);
    expect(state.settled).toBe(false);
    await clock.advance(1);
    expect(state.settled).toBe(true);
  });

  it("waits longer after a step backwards", async () => {
    const clock = new FakeClock(start);
    const state = watch(sleepUntil(clock, after(10_000), { tickMs: 1_000 }, never));
    clock.jump(-60_000);
    await clock.advance(69_999);
    expect(state.settled).toBe(false);
    await clock.advance(1);
    expect(state.settled).toBe(true);
  });

  it("asks a moving target again at every tick, every 15 seconds by default", async () => {
    const clock = new FakeClock(start);
    let at = after(3_600_000);
    const state = watch(sleepUntil(clock, () => at, {}, never));
    await clock.advance(0);
    at = after(1);
    await clock.advance(14_999);
    expect(state.settled).toBe(false);
    await clock.advance(1);
    expect(state.settled).toBe(true);
  });

  it("rejects with the reason on abort", async () => {
    const clock = new FakeClock(start);
    const stop = new AbortController();
    const nap = sleepUntil(clock, after(1_000), {}, stop.signal);
    stop.abort("enough");
    await expect(nap).rejects.toBe("enough");
    expect(clock.sleepers()).toBe(0);
  });

  it.each([
    ["an invalid date", new Date(Number.NaN), 1_000],
    ["a tick of zero", after(1), 0],
    ["a tick of NaN", after(1), Number.NaN],
  ])("refuses %s", async (_, at, tickMs) => {
    await expect(sleepUntil(new FakeClock(start), at, { tickMs }, never)).rejects.toMatchObject({
      code: "argument-invalid",
    });
  });

  it("never returns early and at most one tick late, whatever the wall clock does", async () => {
    const steps = fc.array(fc.tuple(fc.integer({ min: 0, max: 5_000 }), fc.integer({ min: -20_000, max: 20_000 })), {
      maxLength: 20,
    });
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 60_000 }),
        fc.integer({ min: 1, max: 5_000 }),
        steps,
        async (ms, tickMs, moves) => {
          const clock = new FakeClock(start);
          const at = after(ms);
          let returnedAt: Date | undefined;
          let reachedFor = 0;
          const stop = new AbortController();
          const nap = sleepUntil(clock, at, { tickMs }, stop.signal).then(
            () => {
              returnedAt = clock.now();
            },
            () => undefined,
          );
          for (const [advanceMs, jumpMs] of moves) {
            await clock.advance(advanceMs);
            reachedFor = clock.now() >= at ? reachedFor + advanceMs : 0;
            if (returnedAt === undefined && reachedFor > 2 * tickMs + advanceMs) throw new Error("late");
            clock.jump(jumpMs);
          }
          stop.abort();
          await nap;
          if (returnedAt !== undefined && returnedAt < at) throw new Error("early");
        },
      ),
      { numRuns: 50 },
    );
  });
});

import { getEventListeners } from "node:events";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FakeClock, fakeLogger, seededRandom } from "./testing.ts";

const never = new AbortController().signal;
const start = new Date("2026-01-01T00:00:00Z");

describe("FakeClock", () => {
  it("stands still until it is moved", async () => {
    const clock = new FakeClock(start);
    expect(clock.now()).toEqual(start);
    await clock.advance(1_500);
    expect(clock.now()).toEqual(new Date("2026-01-01T00:00:01.500Z"));
  });

  it("fires sleeps in the order they are due, each at its own instant", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 100 }), { maxLength: 20 }), async (lengths) => {
        const clock = new FakeClock(start);
        const woken: number[] = [];
        for (const ms of lengths) {
          void clock.sleep(ms, never).then(() => {
            expect(clock.now().getTime() - start.getTime()).toBe(ms);
            woken.push(ms);
          });
        }
        await clock.advance(100);
        expect(woken).toEqual([...lengths].sort((a, b) => a - b));
      }),
      { numRuns: 50 },
    );
  });

  it("fires sleeps that begin while it moves", async () => {
    const clock = new FakeClock(start);
    let rounds = 0;
    const loop = (async () => {
      for (; rounds < 5; rounds += 1) await clock.sleep(10, never);
    })();
    await clock.advance(50);
    expect(rounds).toBe(5);
    await loop;
  });

  it("wakes a sleep of no time by itself, and lets what follows run within advance", async () => {
    const clock = new FakeClock(start);
    await clock.sleep(0, never);
    await clock.sleep(-1, never);
    let rounds = 0;
    const loop = (async () => {
      for (; rounds < 5; rounds += 1) await clock.sleep(0, never);
    })();
    await clock.advance(0);
    expect(rounds).toBe(5);
    await loop;
  });

  it("keeps what is left of a sleep when the wall clock steps", async () => {
    const clock = new FakeClock(start);
    let woken = false;
    void clock.sleep(1_000, never).then(() => {
      woken = true;
    });
    clock.jump(3_600_000);
    expect(clock.now()).toEqual(new Date("2026-01-01T01:00:00Z"));
    await clock.advance(999);
    expect(woken).toBe(false);
    await clock.advance(1);
    expect(woken).toBe(true);
  });

  it("counts sleepers, and forgets those that are aborted", async () => {
    const clock = new FakeClock(start);
    const stop = new AbortController();
    const nap = clock.sleep(1_000, stop.signal);
    expect(clock.sleepers()).toBe(1);
    stop.abort("enough");
    await expect(nap).rejects.toBe("enough");
    expect(clock.sleepers()).toBe(0);
    await expect(clock.sleep(1, stop.signal)).rejects.toBe("enough");
  });

  it("leaves no listener behind when a sleep fires", async () => {
    const clock = new FakeClock(start);
    const stop = new AbortController();
    const nap = clock.sleep(1, stop.signal);
    await clock.advance(1);
    await nap;
    expect(getEventListeners(stop.signal, "abort")).toHaveLength(0);
  });

  it("waits for sleepers that real work delays", async () => {
    const clock = new FakeClock(start);
    setTimeout(() => void clock.sleep(1, never), 5);
    await clock.untilSleepers(1);
    expect(clock.sleepers()).toBe(1);
  });
});

describe("fakeLogger", () => {
  it("keeps lines with the fields bound by with, in one list", () => {
    const logger = fakeLogger();
    logger.debug("one");
    logger.with({ a: 1 }).with({ b: 2 }).error("two", { b: 3 });
    expect(logger.lines).toEqual([
      { level: "debug", message: "one", fields: {} },
      { level: "error", message: "two", fields: { a: 1, b: 3 } },
    ]);
  });
});

describe("seededRandom", () => {
  it("gives the same numbers for a seed, other ones for another, all within [0, 1)", () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const [a, b, c] = [seededRandom(seed), seededRandom(seed), seededRandom(seed + 1)];
        const numbers = Array.from({ length: 20 }, a);
        expect(Array.from({ length: 20 }, b)).toEqual(numbers);
        expect(Array.from({ length: 20 }, c)).not.toEqual(numbers);
        expect(numbers.every((value) => value >= 0 && value < 1)).toBe(true);
      }),
    );
  });

  it("spreads evenly", () => {
    const random = seededRandom(7);
    const buckets = new Array<number>(10).fill(0);
    for (let count = 0; count < 100_000; count += 1) {
      const bucket = Math.floor(random() * 10);
      buckets[bucket] = (buckets[bucket] ?? 0) + 1;
    }
    for (const size of buckets) expect(Math.abs(size - 10_000)).toBeLessThan(500);
  });
});

import { FakeClock } from "@signet/runtime/testing";
import { describe, expect, it } from "vitest";
import { createDueQueue } from "./due-queue.ts";

const { signal } = new AbortController();

describe("createDueQueue", () => {
  it("gives each key once, when it is due", async () => {
    const clock = new FakeClock();
    const queue = createDueQueue(clock);
    const taken: string[] = [];
    const taking = (async () => {
      for (let take = 0; take < 3; take++) taken.push(await queue.next(signal));
    })();
    queue.add("late", 2_000);
    queue.add("soon", 1_000);
    queue.add("late", 3_000);
    await clock.advance(999);
    expect(taken).toEqual([]);
    await clock.advance(1);
    expect(taken).toEqual(["soon"]);
    await clock.advance(1_000);
    expect(taken).toEqual(["soon", "late"]);
    expect(queue.size()).toBe(0);
    queue.add("again", 0);
    await clock.advance(1);
    await taking;
    expect(taken).toEqual(["soon", "late", "again"]);
  });

  it("takes the earlier of two instants", async () => {
    const clock = new FakeClock();
    const queue = createDueQueue(clock);
    queue.add("key", 60_000);
    const next = queue.next(signal);
    await clock.advance(10);
    queue.add("key", 10);
    await clock.advance(10);
    expect(await next).toBe("key");
  });

  it("forgets a key that is removed", async () => {
    const clock = new FakeClock();
    const queue = createDueQueue(clock);
    queue.add("gone", 0);
    queue.add("stays", 5);
    queue.remove("gone");
    const next = queue.next(signal);
    await clock.advance(10);
    expect(await next).toBe("stays");
  });

  it("finds what a step of the wall clock made due", async () => {
    const clock = new FakeClock();
    const queue = createDueQueue(clock);
    queue.add("key", 3_600_000);
    const next = queue.next(signal);
    clock.jump(3_600_000);
    await clock.advance(15_000);
    expect(await next).toBe("key");
  });

  it("rejects with the reason of the signal while it waits, and leaves no timer", async () => {
    const clock = new FakeClock();
    const queue = createDueQueue(clock);
    const stop = new AbortController();
    const next = queue.next(stop.signal);
    await clock.untilSleepers(1);
    const reason = new Error("stop");
    stop.abort(reason);
    await expect(next).rejects.toBe(reason);
    expect(clock.sleepers()).toBe(0);
  });
});

import { FakeClock } from "@signet/runtime/testing";
import { describe, expect, it } from "vitest";
import { createTokenBucket } from "./token-bucket.ts";

const { signal } = new AbortController();

describe("createTokenBucket", () => {
  it("lets a burst pass at once and after that one every interval", async () => {
    const clock = new FakeClock();
    const bucket = createTokenBucket({ burst: 2, intervalMs: 1_000 }, clock);
    const passed: number[] = [];
    const startedAt = clock.now().getTime();
    const taking = (async () => {
      for (let take = 0; take < 4; take++) {
        await bucket.take(signal);
        passed.push(clock.now().getTime() - startedAt);
      }
    })();
    await clock.advance(5_000);
    await taking;
    expect(passed).toEqual([0, 0, 1_000, 2_000]);
  });

  it("fills up again, and no further than the burst", async () => {
    const clock = new FakeClock();
    const bucket = createTokenBucket({ burst: 2, intervalMs: 1_000 }, clock);
    await bucket.take(signal);
    await clock.advance(60_000);
    await bucket.take(signal);
    await bucket.take(signal);
    let third = false;
    const taking = bucket.take(signal).then(() => {
      third = true;
    });
    await clock.advance(999);
    expect(third).toBe(false);
    await clock.advance(1);
    await taking;
  });

  it("goes on when the wall clock is set back", async () => {
    const clock = new FakeClock();
    const bucket = createTokenBucket({ burst: 1, intervalMs: 1_000 }, clock);
    await bucket.take(signal);
    const taking = bucket.take(signal);
    clock.jump(-3_600_000);
    await clock.advance(3_000);
    await taking;
  });

  it("rejects with the reason of the signal", async () => {
    const bucket = createTokenBucket({ burst: 1, intervalMs: 1_000 }, new FakeClock());
    const reason = new Error("stop");
    await expect(bucket.take(AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});

import { FakeClock } from "@signet/runtime/testing";
import { describe, expect, it } from "vitest";
import { createContestGuard } from "./contest-guard.ts";

describe("createContestGuard", () => {
  it("lets three writes pass, says once that there is a contest, and then asks for ever longer waits", async () => {
    const clock = new FakeClock();
    const guard = createContestGuard(clock);
    const waits: number[] = [];
    const contested: boolean[] = [];
    for (let write = 0; write < 12; write++) {
      const waitMs = guard.waitMs("key");
      waits.push(waitMs);
      await clock.advance(waitMs);
      expect(guard.waitMs("key")).toBe(0);
      contested.push(guard.wrote("key"));
    }
    expect(waits).toEqual([0, 0, 0, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
    expect(contested.flatMap((isFirst, index) => (isFirst ? [index] : []))).toEqual([3]);
  });

  it("forgets after five quiet minutes, and when told to", async () => {
    const clock = new FakeClock();
    const guard = createContestGuard(clock);
    for (let write = 0; write < 4; write++) guard.wrote("key");
    expect(guard.waitMs("key")).toBeGreaterThan(0);
    expect(guard.waitMs("other")).toBe(0);
    await clock.advance(300_000);
    expect(guard.waitMs("key")).toBe(0);
    for (let write = 0; write < 4; write++) guard.wrote("key");
    guard.forget("key");
    expect(guard.waitMs("key")).toBe(0);
  });

  it("never asks for more than the wait itself when the wall clock is set back", () => {
    const clock = new FakeClock();
    const guard = createContestGuard(clock);
    for (let write = 0; write < 4; write++) guard.wrote("key");
    clock.jump(-3_600_000);
    expect(guard.waitMs("key")).toBe(2_000);
  });
});

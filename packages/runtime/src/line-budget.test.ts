import { describe, expect, it } from "vitest";
import { FakeClock } from "./fake-clock.ts";
import { createLineBudget } from "./line-budget.ts";

describe("a budget of lines", () => {
  it("suppresses what is over, says how much that was, and begins anew with the next minute", async () => {
    const clock = new FakeClock();
    const budget = createLineBudget(clock, 2);
    expect([1, 2, 3, 4].map(() => budget.spend())).toEqual([0, 0, undefined, undefined]);
    await clock.advance(59_999);
    expect(budget.spend()).toBeUndefined();
    await clock.advance(1);
    expect([budget.spend(), budget.spend()]).toEqual([3, 0]);
  });

  it("is not used up for ever by a clock that was ahead", () => {
    const clock = new FakeClock();
    const budget = createLineBudget(clock, 1);
    budget.spend();
    clock.jump(-3_600_000);
    expect(budget.spend()).toBe(0);
  });
});

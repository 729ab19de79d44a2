import { FakeClock } from "@signet/runtime/testing";
import { describe, expect, it } from "vitest";
import { type CircuitBreaker, type CircuitState, createCircuitBreaker } from "./circuit-breaker.ts";

function open(): { clock: FakeClock; breaker: CircuitBreaker; changes: CircuitState[] } {
  const clock = new FakeClock();
  const changes: CircuitState[] = [];
  const breaker = createCircuitBreaker(
    { failuresToOpen: 3, initialMs: 200, maxMs: 1000, onChange: (state) => changes.push(state) },
    { clock, random: () => 1 },
  );
  return { clock, breaker, changes };
}

function fail(breaker: CircuitBreaker, times: number): void {
  for (let time = 0; time < times; time += 1) breaker.admit()?.failed();
}

describe("createCircuitBreaker", () => {
  it("opens after so many failures in a row, and no sooner", () => {
    const { breaker, changes } = open();
    fail(breaker, 2);
    breaker.admit()?.succeeded();
    fail(breaker, 2);
    expect(breaker.state()).toBe("closed");
    fail(breaker, 1);
    expect([breaker.state(), breaker.admits(), breaker.admit()]).toEqual(["open", false, undefined]);
    expect(changes).toEqual(["open"]);
  });

  it("lets one probe through when its wait is over, and closes when that succeeds", async () => {
    const { clock, breaker, changes } = open();
    fail(breaker, 3);
    await clock.advance(199);
    expect(breaker.admit()).toBeUndefined();
    await clock.advance(1);
    const probe = breaker.admit();
    expect([probe === undefined, breaker.admit()]).toEqual([false, undefined]);
    probe?.succeeded();
    expect(breaker.admits()).toBe(true);
    expect(changes).toEqual(["open", "half-open", "closed"]);
  });

  it("waits for longer after each probe that fails, up to the longest wait", async () => {
    const { clock, breaker } = open();
    fail(breaker, 3);
    const waits: number[] = [];
    for (const expected of [200, 400, 800, 1000, 1000]) {
      let waited = 0;
      while (!breaker.admits()) {
        await clock.advance(100);
        waited += 100;
      }
      waits.push(waited);
      expect(waited).toBe(expected);
      fail(breaker, 1);
    }
    expect(waits).toHaveLength(5);
  });

  it("lets the next caller probe when the one who did has gone away", async () => {
    const { clock, breaker } = open();
    fail(breaker, 3);
    await clock.advance(200);
    breaker.admit()?.abandoned();
    expect(breaker.state()).toBe("open");
    breaker.admit()?.succeeded();
    expect(breaker.state()).toBe("closed");
  });

  it("counts what a permit says once", () => {
    const { breaker } = open();
    const permit = breaker.admit();
    for (let time = 0; time < 5; time += 1) permit?.failed();
    expect(breaker.state()).toBe("closed");
  });

  it("closes when a call from before it opened succeeds, and stays so when its probe fails later", async () => {
    const { clock, breaker } = open();
    const slow = breaker.admit();
    fail(breaker, 3);
    await clock.advance(200);
    const probe = breaker.admit();
    slow?.succeeded();
    expect(breaker.state()).toBe("closed");
    probe?.succeeded();
    expect(breaker.state()).toBe("closed");
  });

  it("does not stay open because the wall clock stepped back", () => {
    const { clock, breaker } = open();
    fail(breaker, 3);
    clock.jump(-3_600_000);
    expect(breaker.admits()).toBe(true);
  });
});

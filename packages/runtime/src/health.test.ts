import { describe, expect, it } from "vitest";
import { checkHealth, type HealthCheck } from "./health.ts";
import { FakeClock } from "./testing.ts";

const never = new AbortController().signal;

describe("checkHealth", () => {
  it("lists what is wrong, in the order of the checks", async () => {
    const checks: HealthCheck[] = [
      { name: "fine", check: async () => undefined },
      { name: "full", check: async () => "disk full" },
      {
        name: "throws",
        check() {
          throw new Error("no such file");
        },
      },
      { name: "rejects", check: async () => Promise.reject(new Error("refused")) },
    ];
    expect(await checkHealth(checks, { clock: new FakeClock(), deadlineMs: 1_000 }, never)).toEqual([
      { check: "full", reason: "disk full" },
      { check: "throws", reason: "no such file" },
      { check: "rejects", reason: "refused" },
    ]);
  });

  it("is healthy without checks", async () => {
    expect(await checkHealth([], { clock: new FakeClock(), deadlineMs: 1_000 }, never)).toEqual([]);
  });

  it("counts a hung check as a problem, aborts it, and lets the others answer", async () => {
    const clock = new FakeClock();
    let aborted = false;
    const hung: HealthCheck = {
      name: "hung",
      check: (signal) =>
        new Promise(() => {
          signal.addEventListener("abort", () => {
            aborted = true;
          });
        }),
    };
    const checking = checkHealth(
      [hung, { name: "full", check: async () => "disk full" }],
      { clock, deadlineMs: 1_000 },
      never,
    );
    await clock.advance(1_000);
    expect(await checking).toEqual([
      { check: "hung", reason: 'health check "hung" took longer than 1s' },
      { check: "full", reason: "disk full" },
    ]);
    expect(aborted).toBe(true);
  });

  it("rejects with the reason on abort, and never calls that unhealthy", async () => {
    const stop = new AbortController();
    const hung: HealthCheck = { name: "hung", check: () => new Promise(() => {}) };
    const checking = checkHealth([hung], { clock: new FakeClock(), deadlineMs: 1_000 }, stop.signal);
    stop.abort("enough");
    await expect(checking).rejects.toBe("enough");
  });
});

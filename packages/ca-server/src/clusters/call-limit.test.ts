import { describe, expect, it } from "vitest";
import { createCallLimit } from "./call-limit.ts";

const never = new AbortController().signal;

describe("the call limit", () => {
  it("runs so many at a time, the others in their order, and refuses the rest", async () => {
    const limit = createCallLimit({ maxRunning: 1, maxWaiting: 2 });
    const gates = [0, 1, 2].map(() => Promise.withResolvers<void>());
    const begun: number[] = [];
    const runs = gates.map(({ promise }, index) =>
      limit.run(() => {
        begun.push(index);
        return promise;
      }, never),
    );
    expect(await limit.run(async () => "too many", never)).toBe("overloaded");
    expect(begun).toEqual([0]);
    gates[0]?.resolve();
    await runs[0];
    await Promise.resolve();
    expect(begun).toEqual([0, 1]);
    gates[1]?.resolve();
    gates[2]?.resolve();
    await Promise.all(runs);
    expect(begun).toEqual([0, 1, 2]);
    expect(await limit.run(async () => "again", never)).toBe("again");
  });

  it("gives the place of work that throws to the next", async () => {
    const limit = createCallLimit({ maxRunning: 1, maxWaiting: 0 });
    const failing = limit.run(() => Promise.reject(new Error("no")), never);
    await expect(failing).rejects.toThrow("no");
    expect(await limit.run(async () => 1, never)).toBe(1);
  });

  it("forgets those who stop waiting", async () => {
    const limit = createCallLimit({ maxRunning: 1, maxWaiting: 1 });
    const gate = Promise.withResolvers<void>();
    const running = limit.run(() => gate.promise, never);
    const impatient = new AbortController();
    const waiting = limit.run(async () => "never", impatient.signal);
    impatient.abort(new Error("hung up"));
    await expect(waiting).rejects.toThrow("hung up");
    const next = limit.run(async () => "next", never);
    gate.resolve();
    await running;
    expect(await next).toBe("next");
  });

  it("does not begin for who has gone", async () => {
    const gone = AbortSignal.abort(new Error("gone"));
    const limit = createCallLimit({ maxRunning: 1, maxWaiting: 1 });
    await expect(limit.run(async () => 1, gone)).rejects.toThrow("gone");
  });
});

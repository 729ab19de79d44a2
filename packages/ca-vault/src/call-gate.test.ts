import { FakeClock } from "@signet/runtime/testing";
import { describe, expect, it } from "vitest";
import { type CallGate, createCallGate } from "./call-gate.ts";

const never = new AbortController().signal;

function open(): { clock: FakeClock; gate: CallGate } {
  const clock = new FakeClock();
  return { clock, gate: createCallGate({ maxConcurrent: 2, maxWaiting: 2 }, { clock, lifetime: never }) };
}

/** Work that ends when it is told to. */
function works(gate: CallGate, count: number, signal: AbortSignal = never) {
  const started: number[] = [];
  const ends = Array.from({ length: count }, () => Promise.withResolvers<void>());
  const results = ends.map((end, index) =>
    gate.run(async () => {
      started.push(index);
      await end.promise;
      return index;
    }, signal),
  );
  return { started, ends, results };
}

describe("createCallGate", () => {
  it("lets so many through at a time, the others in their order", async () => {
    const { clock, gate } = open();
    const { started, ends, results } = works(gate, 4);
    await clock.advance(0);
    expect(started).toEqual([0, 1]);
    ends[1]?.resolve();
    await clock.advance(0);
    expect(started).toEqual([0, 1, 2]);
    for (const end of ends) end.resolve();
    expect(await Promise.all(results)).toEqual([0, 1, 2, 3]);
  });

  it("refuses at once when too many wait", async () => {
    const { gate } = open();
    const { ends, results } = works(gate, 4);
    await expect(gate.run(async () => "late", never)).rejects.toMatchObject({ code: "overloaded" });
    for (const end of ends) end.resolve();
    await Promise.all(results);
    expect(await gate.run(async () => "later", never)).toBe("later");
  });

  it("gives the place of work that fails to the next, and of one who goes away to nobody", async () => {
    const { clock, gate } = open();
    const leaving = new AbortController();
    const busy = works(gate, 2);
    const gone = gate.run(async () => "gone", leaving.signal);
    const next = gate.run(async () => "next", never);
    leaving.abort(new Error("went away"));
    await expect(gone).rejects.toThrow("went away");
    busy.ends[0]?.reject(new Error("broken"));
    await expect(busy.results[0]).rejects.toThrow("broken");
    await clock.advance(0);
    expect(await next).toBe("next");
    busy.ends[1]?.resolve();
    await busy.results[1];
  });

  it("begins nothing during a pause, and knows how long that lasts", async () => {
    const { clock, gate } = open();
    gate.pause(1000);
    gate.pause(3000);
    const { started, ends, results } = works(gate, 1);
    await clock.advance(2000);
    expect([started, gate.pausedMs()]).toEqual([[], 1000]);
    await clock.advance(1000);
    expect([started, gate.pausedMs()]).toEqual([[0], 0]);
    ends[0]?.resolve();
    await Promise.all(results);
  });

  it("does not begin for a signal that has been aborted", async () => {
    const { gate } = open();
    const reason = new Error("too late");
    await expect(gate.run(async () => "never", AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});

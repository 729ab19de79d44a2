import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createAdmission } from "./admission.ts";

const never = new AbortController().signal;

/** Work that ends when the test says so. */
function work<T>(value: T) {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  let begun = 0;
  promise.catch(() => undefined);
  return {
    run: () => {
      begun++;
      return promise;
    },
    begun: () => begun,
    end: () => resolve(value),
    fail: (error: Error) => reject(error),
  };
}

/** Lets every promise that can move do so. */
function settle(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

describe("createAdmission", () => {
  it("lets as many run as there is room for, and the others in the order they came", async () => {
    const admission = createAdmission({ maxConcurrent: 2, maxQueued: 3 });
    const all = [1, 2, 3, 4, 5].map(work);
    const results = all.map(({ run }) => admission.run(run, never));
    expect(all.map(({ begun }) => begun())).toEqual([1, 1, 0, 0, 0]);
    expect([admission.running(), admission.waiting()]).toEqual([2, 3]);
    all[1]?.end();
    await results[1];
    await settle();
    expect(all.map(({ begun }) => begun())).toEqual([1, 1, 1, 0, 0]);
    for (const each of all) each.end();
    expect(await Promise.all(results)).toEqual([1, 2, 3, 4, 5]);
    expect([admission.running(), admission.waiting()]).toEqual([0, 0]);
  });

  it("turns away at once who finds no room to wait", async () => {
    const admission = createAdmission({ maxConcurrent: 1, maxQueued: 1 });
    const [first, second, third] = [work(1), work(2), work(3)];
    const one = admission.run(first.run, never);
    const two = admission.run(second.run, never);
    await expect(admission.run(third.run, never)).rejects.toMatchObject({ name: "CaError", code: "overloaded" });
    expect(third.begun()).toBe(0);
    first.end();
    second.end();
    expect(await Promise.all([one, two])).toEqual([1, 2]);
    await expect(admission.run(async () => 4, never)).resolves.toBe(4);
  });

  it("needs no queue", async () => {
    const admission = createAdmission({ maxConcurrent: 1, maxQueued: 0 });
    const only = work(1);
    const running = admission.run(only.run, never);
    await expect(admission.run(only.run, never)).rejects.toMatchObject({ code: "overloaded" });
    only.end();
    await running;
  });

  it("frees the room of work that fails, in whatever way", async () => {
    const admission = createAdmission({ maxConcurrent: 1, maxQueued: 1 });
    const failure = new Error("sealed");
    await expect(admission.run(() => Promise.reject(failure), never)).rejects.toBe(failure);
    const thrown = admission.run(() => {
      throw failure;
    }, never);
    await expect(thrown).rejects.toBe(failure);
    expect(admission.running()).toBe(0);
  });

  it("lets go of who is aborted while waiting, and never begins its work", async () => {
    const admission = createAdmission({ maxConcurrent: 1, maxQueued: 2 });
    const [first, second, third] = [work(1), work(2), work(3)];
    const controller = new AbortController();
    const one = admission.run(first.run, never);
    const two = admission.run(second.run, controller.signal);
    const three = admission.run(third.run, never);
    const reason = new Error("client went away");
    controller.abort(reason);
    await expect(two).rejects.toBe(reason);
    expect(admission.waiting()).toBe(1);
    first.end();
    third.end();
    expect(await Promise.all([one, three])).toEqual([1, 3]);
    expect(second.begun()).toBe(0);
    expect([admission.running(), admission.waiting()]).toEqual([0, 0]);
  });

  it("takes nobody in who is aborted already", async () => {
    const admission = createAdmission({ maxConcurrent: 1, maxQueued: 0 });
    const reason = new Error("client went away");
    const late = work(1);
    await expect(admission.run(late.run, AbortSignal.abort(reason))).rejects.toBe(reason);
    expect([late.begun(), admission.running()]).toEqual([0, 0]);
  });

  it("passes a room on though its new owner is aborted just then", async () => {
    const admission = createAdmission({ maxConcurrent: 1, maxQueued: 2 });
    const first = work(1);
    const controller = new AbortController();
    const one = admission.run(first.run, never);
    const two = admission.run(async () => controller.signal.throwIfAborted(), controller.signal);
    const three = admission.run(async () => 3, never);
    first.end();
    await one;
    controller.abort(new Error("client went away"));
    await two.catch(() => undefined);
    await expect(three).resolves.toBe(3);
    expect([admission.running(), admission.waiting()]).toEqual([0, 0]);
  });

  it.each([
    [0, 1],
    [-1, 1],
    [1.5, 1],
    [Number.NaN, 1],
    [Number.POSITIVE_INFINITY, 1],
    [1, -1],
    [1, Number.NaN],
  ])("refuses %d calls at once and %d that wait", (maxConcurrent, maxQueued) => {
    expect(() => createAdmission({ maxConcurrent, maxQueued })).toThrow(
      expect.objectContaining({ code: "argument-invalid" }),
    );
  });

  it("never exceeds its bounds, leaks no room and keeps the order, whatever comes and goes", async () => {
    const step = fc.record({
      kind: fc.constantFrom("come", "come", "come", "end", "abort", "fail"),
      which: fc.nat(40),
    });
    const bounds = fc.record({ maxConcurrent: fc.integer({ min: 1, max: 4 }), maxQueued: fc.nat(4) });
    await fc.assert(
      fc.asyncProperty(bounds, fc.array(step, { maxLength: 40 }), async ({ maxConcurrent, maxQueued }, steps) => {
        const admission = createAdmission({ maxConcurrent, maxQueued });
        const begun: number[] = [];
        const calls: { job: ReturnType<typeof work<number>>; stop: AbortController; result: Promise<unknown> }[] = [];
        let active = 0;
        for (const { kind, which } of steps) {
          const call = calls[which % Math.max(1, calls.length)];
          if (kind === "come") {
            const id = calls.length;
            const job = work(id);
            const stop = new AbortController();
            const run = async (): Promise<number> => {
              begun.push(id);
              active++;
              expect(active).toBeLessThanOrEqual(maxConcurrent);
              return await job.run().finally(() => active--);
            };
            calls.push({ job, stop, result: admission.run(run, stop.signal).catch(() => undefined) });
          } else if (kind === "end") call?.job.end();
          else if (kind === "fail") call?.job.fail(new Error("failed"));
          else call?.stop.abort(new Error("gone"));
          if (which % 3 === 0) await settle();
          expect(admission.running()).toBeLessThanOrEqual(maxConcurrent);
          expect(admission.waiting()).toBeLessThanOrEqual(maxQueued);
        }
        for (const { job } of calls) job.end();
        await Promise.all(calls.map(({ result }) => result));
        expect(begun).toEqual([...begun].sort((a, b) => a - b));
        expect([admission.running(), admission.waiting(), active]).toEqual([0, 0, 0]);
      }),
      { numRuns: 300, seed: 7 },
    );
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createFairAdmission } from "./fair-admission.ts";

const never = new AbortController().signal;

function setUp(limits = { maxConcurrent: 2, maxQueued: 4 }) {
  const admission = createFairAdmission(limits);
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const outcomes = new Map<string, string>();
  return {
    begun,
    outcomes,
    /** Has `peer` call; what the call is called begins with it. */
    call(name: string, signal: AbortSignal = never): Promise<void> {
      const peer = name.split(" ")[0] ?? "";
      const { promise, resolve } = Promise.withResolvers<string>();
      ends.set(name, () => resolve("done"));
      const work = (): Promise<string> => {
        begun.push(name);
        return promise;
      };
      return admission.run(peer, work, signal).then(
        (outcome) => void outcomes.set(name, outcome),
        (error: { readonly code?: string }) => void outcomes.set(name, error.code ?? String(error)),
      );
    },
    async end(name: string): Promise<void> {
      ends.get(name)?.();
      await settled();
    },
  };
}

/** Resolves when every promise that can settle has. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

describe("a fair admission", () => {
  it("gives one peer everything while nobody else comes, in order, and then no more", async () => {
    const { call, begun, outcomes, end } = setUp();
    for (let n = 0; n < 7; n++) void call(`a ${n}`);
    await settled();
    expect(begun).toEqual(["a 0", "a 1"]);
    expect([...outcomes]).toEqual([["a 6", "overloaded"]]);
    for (let n = 0; n < 6; n++) await end(`a ${n}`);
    expect(begun).toEqual(["a 0", "a 1", "a 2", "a 3", "a 4", "a 5"]);
    expect([...outcomes.values()].filter((outcome) => outcome === "done")).toHaveLength(6);
  });

  it("gives who comes when all is full the latest place of whoever has most", async () => {
    const { call, begun, outcomes, end } = setUp();
    for (let n = 0; n < 6; n++) void call(`a ${n}`);
    void call("b 0");
    await settled();
    expect([...outcomes]).toEqual([["a 5", "overloaded"]]);
    await end("a 0");
    expect(begun.at(-1)).toBe("b 0");
    await end("b 0");
    expect(begun.at(-1)).toBe("a 2");
  });

  it("lets a peer that comes later take as much as the one that was first, and no more", async () => {
    const { call, outcomes } = setUp();
    for (let n = 0; n < 6; n++) void call(`a ${n}`);
    for (let n = 0; n < 4; n++) void call(`b ${n}`);
    await settled();
    expect([...outcomes.keys()].toSorted()).toEqual(["a 4", "a 5", "b 2", "b 3"]);
    expect(new Set(outcomes.values())).toEqual(new Set(["overloaded"]));
  });

  it("serves every one of many peers while one floods it", async () => {
    const { call, begun, outcomes, end } = setUp({ maxConcurrent: 4, maxQueued: 16 });
    for (let n = 0; n < 100; n++) void call(`flood ${n}`);
    for (let n = 0; n < 15; n++) void call(`peer${n} 0`);
    for (let n = 100; n < 200; n++) void call(`flood ${n}`);
    await settled();
    for (let turn = 0; turn < 40; turn++) {
      for (const name of begun) if (!outcomes.has(name)) await end(name);
    }
    for (let n = 0; n < 15; n++) expect(outcomes.get(`peer${n} 0`)).toBe("done");
  });

  it("forgets one that goes away while it waits, and gives its place to another", async () => {
    const { call, begun, outcomes, end } = setUp();
    const controller = new AbortController();
    for (let n = 0; n < 5; n++) void call(`a ${n}`);
    void call("a gone", controller.signal);
    controller.abort("gone");
    void call("a 5");
    await settled();
    expect([...outcomes]).toEqual([["a gone", "gone"]]);
    for (let n = 0; n < 6; n++) await end(`a ${n}`);
    expect(begun).toEqual(["a 0", "a 1", "a 2", "a 3", "a 4", "a 5"]);
  });

  it("begins a call that comes while others of its peer are going", async () => {
    const { call, begun, end } = setUp({ maxConcurrent: 1, maxQueued: 4 });
    const [first, second] = [new AbortController(), new AbortController()];
    void call("b 0");
    void call("a 1", first.signal);
    void call("a 2", second.signal);
    await settled();
    first.abort("gone");
    queueMicrotask(() => void call("a 3"));
    second.abort("gone");
    await settled();
    await end("b 0");
    expect(begun).toEqual(["b 0", "a 3"]);
  });

  it("begins every call that is neither dropped nor gone, whatever comes and goes", async () => {
    const action = fc.record({
      peer: fc.constantFrom("a", "b", "c"),
      what: fc.constantFrom("call", "call", "call", "end", "leave"),
      settle: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 60 }), async (actions) => {
        const { call, begun, outcomes, end } = setUp({ maxConcurrent: 2, maxQueued: 3 });
        const leavers = new Map<string, AbortController>();
        const calls: Promise<void>[] = [];
        for (const [index, { peer, what, settle }] of actions.entries()) {
          const underWay = begun.find((name) => !outcomes.has(name));
          if (what === "end" && underWay !== undefined) await end(underWay);
          if (what === "leave") for (const controller of leavers.values()) controller.abort("gone");
          if (what === "call") {
            const controller = new AbortController();
            leavers.set(`${peer} ${index}`, controller);
            calls.push(call(`${peer} ${index}`, controller.signal));
          }
          if (settle) await settled();
          expect(begun.filter((name) => !outcomes.has(name)).length).toBeLessThanOrEqual(2);
        }
        for (let turn = 0; turn < 70; turn++) {
          const underWay = begun.find((name) => !outcomes.has(name));
          if (underWay !== undefined) await end(underWay);
        }
        await settled();
        expect(outcomes.size).toBe(calls.length);
      }),
    );
  });

  it("has all its room again whatever became of those who had it", async () => {
    const { call, begun, end } = setUp();
    const { signal } = new AbortController();
    for (let round = 0; round < 3; round++) {
      const names = Array.from({ length: 6 }, (_, n) => `${n % 3} ${round}.${n}`);
      const calls = names.map((name) => call(name, signal));
      await settled();
      for (let turn = 0; turn < 6; turn++) for (const name of begun) await end(name);
      await Promise.all(calls);
    }
    expect(begun).toHaveLength(18);
  });
});

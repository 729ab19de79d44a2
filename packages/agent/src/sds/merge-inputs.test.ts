import { queryObjects } from "node:v8";
import { createSource } from "@signet/runtime";
import { describe, expect, it } from "vitest";
import { mergeInputs } from "./merge-inputs.ts";

/** Requests as a client sends them: pushed by the test, ended or failed by it. */
function requestQueue() {
  const waiting: ((result: IteratorResult<string, undefined>) => void)[] = [];
  const queued: string[] = [];
  let fail: ((reason: unknown) => void) | undefined;
  let returned = 0;
  const iterable: AsyncIterableIterator<string, undefined> = {
    next: () =>
      new Promise((resolve, reject) => {
        fail = reject;
        const value = queued.shift();
        if (value === undefined) waiting.push(resolve);
        else resolve({ done: false, value });
      }),
    async return() {
      returned += 1;
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
  return {
    iterable,
    returned: () => returned,
    push(value: string) {
      const next = waiting.shift();
      if (next === undefined) queued.push(value);
      else next({ done: false, value });
    },
    end: () => waiting.shift()?.({ done: true, value: undefined }),
    fail: (reason: unknown) => fail?.(reason),
  };
}

function start(signal: AbortSignal = new AbortController().signal) {
  const updates = createSource<string>();
  const requests = requestQueue();
  const merged = mergeInputs((s) => updates.changes(s), requests.iterable, signal);
  return { updates, requests, merged };
}

describe("mergeInputs", () => {
  it("yields both as they come", async () => {
    const { updates, requests, merged } = start();
    requests.push("request");
    expect((await merged.next()).value).toBe("request");
    updates.publish("update");
    expect((await merged.next()).value).toBe("update");
    requests.push("another");
    expect((await merged.next()).value).toBe("another");
  });

  it("lets updates go before a flood of requests", async () => {
    const { updates, requests, merged } = start();
    for (let n = 0; n < 10; n += 1) requests.push(`request ${n}`);
    updates.publish("update");
    const got = [await merged.next(), await merged.next()].map(({ value }) => value);
    expect(got).toContain("update");
  });

  it("ends with the requests, and lets go of them", async () => {
    const { requests, merged } = start();
    const next = merged.next();
    await new Promise(setImmediate);
    requests.end();
    expect((await next).done).toBe(true);
    expect(requests.returned()).toBe(1);
  });

  it("ends with the signal", async () => {
    const stop = new AbortController();
    const { merged } = start(stop.signal);
    const next = merged.next();
    stop.abort();
    expect((await next).done).toBe(true);
  });

  it("fails with the requests", async () => {
    const { requests, merged } = start();
    const next = merged.next();
    await new Promise(setImmediate);
    requests.fail(new Error("gone"));
    await expect(next).rejects.toThrow("gone");
  });

  it("keeps nothing of the requests that it yielded while no update comes", async () => {
    async function* flood(): AsyncGenerator<string, void, undefined> {
      for (;;) yield "request";
    }
    const merged = mergeInputs((s) => createSource<never>().changes(s), flood(), new AbortController().signal);
    // Counts what is left after a garbage collection.
    const promises = (): number => queryObjects(Promise, { format: "count" });
    await merged.next();
    const before = promises();
    for (let n = 0; n < 2_000; n += 1) await merged.next();
    expect(promises() - before).toBeLessThan(500);
    await merged.return();
  });
});

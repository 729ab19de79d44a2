import { getEventListeners } from "node:events";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { constantSource, createSource, firstValue, mapSource, type Source } from "./source.ts";
import { FakeClock } from "./testing.ts";

const never = new AbortController().signal;

/** Reads until the abort, pausing after each value as the script says; returns what it saw. */
async function readAll<T>(
  source: Source<T>,
  signal: AbortSignal,
  pause: () => Promise<void> = async () => {},
): Promise<T[]> {
  const seen: T[] = [];
  for await (const value of source.changes(signal)) {
    seen.push(value);
    await pause();
  }
  return seen;
}

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

describe("createSource", () => {
  it("has no value until one is published", () => {
    const source = createSource<string>();
    expect(source.current()).toBeUndefined();
    source.publish("a");
    expect(source.current()).toBe("a");
  });

  it("gives a reader the value now and each later one", async () => {
    const source = createSource("a");
    const stop = new AbortController();
    const reading = readAll(source, stop.signal);
    for (const value of ["b", "c"]) {
      await turn();
      source.publish(value);
    }
    await turn();
    stop.abort();
    expect(await reading).toEqual(["a", "b", "c"]);
  });

  it("gives a reader that came first the first value", async () => {
    const source = createSource<string>();
    const stop = new AbortController();
    const reading = readAll(source, stop.signal);
    await turn();
    source.publish("a");
    await turn();
    stop.abort();
    expect(await reading).toEqual(["a"]);
  });

  it("gives a slow reader only the latest", async () => {
    const source = createSource(0);
    const stop = new AbortController();
    const values = source.changes(stop.signal)[Symbol.asyncIterator]();
    expect(await values.next()).toEqual({ done: false, value: 0 });
    for (const value of [1, 2, 3]) source.publish(value);
    expect(await values.next()).toEqual({ done: false, value: 3 });
  });

  it("counts publishing an equal value as a change", async () => {
    const source = createSource("same");
    const values = source.changes(never)[Symbol.asyncIterator]();
    await values.next();
    source.publish("same");
    expect(await values.next()).toEqual({ done: false, value: "same" });
  });

  it("returns on abort, while waiting as well as before, and leaves no listener", async () => {
    const source = createSource("a");
    const stop = new AbortController();
    const reading = readAll(source, stop.signal);
    await turn();
    expect(getEventListeners(stop.signal, "abort")).toHaveLength(1);
    stop.abort(new Error("not to be seen"));
    expect(await reading).toEqual(["a"]);
    expect(getEventListeners(stop.signal, "abort")).toHaveLength(0);
    expect(await readAll(source, stop.signal)).toEqual([]);
  });

  it("leaves no listener on the signal when a value comes", async () => {
    const source = createSource("a");
    const stop = new AbortController();
    const values = source.changes(stop.signal)[Symbol.asyncIterator]();
    await values.next();
    const next = values.next();
    source.publish("b");
    await next;
    expect(getEventListeners(stop.signal, "abort")).toHaveLength(0);
  });

  it("serves several readers at their own pace", async () => {
    const source = createSource(1);
    const stop = new AbortController();
    const fast = readAll(source, stop.signal);
    const slow = source.changes(stop.signal)[Symbol.asyncIterator]();
    await slow.next();
    for (const value of [2, 3]) {
      source.publish(value);
      await turn();
    }
    expect((await slow.next()).value).toBe(3);
    stop.abort();
    expect(await fast).toEqual([1, 2, 3]);
  });

  it("a reader sees values in order, none twice, and always ends with the latest", async () => {
    const delay = fc.integer({ min: 0, max: 3 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(delay, { minLength: 1, maxLength: 12 }),
        fc.array(delay, { maxLength: 12 }),
        async (gaps, pauses) => {
          const clock = new FakeClock();
          const source = createSource<number>();
          const stop = new AbortController();
          const waits = [...pauses];
          const reading = readAll(source, stop.signal, () => clock.sleep(waits.shift() ?? 0, never));
          const publishing = (async () => {
            for (const [index, gap] of gaps.entries()) {
              await clock.sleep(gap, never);
              source.publish(index);
            }
          })();
          await clock.advance(100);
          await publishing;
          await clock.advance(100);
          stop.abort();
          const seen = await reading;
          expect(seen.at(-1)).toBe(gaps.length - 1);
          expect(seen).toEqual([...new Set(seen)].sort((a, b) => a - b));
        },
      ),
      { numRuns: 50 },
    );
  });
});

describe("constantSource", () => {
  it("yields its value once and waits for the abort", async () => {
    const stop = new AbortController();
    const reading = readAll(constantSource("a"), stop.signal);
    await turn();
    stop.abort();
    expect(await reading).toEqual(["a"]);
  });
});

describe("mapSource", () => {
  it("maps the value now and each later one", async () => {
    const source = createSource<number>();
    const doubled = mapSource(source, (value) => value * 2);
    expect(doubled.current()).toBeUndefined();
    const values = doubled.changes(never)[Symbol.asyncIterator]();
    source.publish(1);
    expect((await values.next()).value).toBe(2);
    source.publish(2);
    expect((await values.next()).value).toBe(4);
    expect(doubled.current()).toBe(4);
  });

  it("maps each value once, so that results can be compared by identity", () => {
    const source = createSource("a");
    const boxed = mapSource(source, (value) => ({ value }));
    expect(boxed.current()).toBe(boxed.current());
    const before = boxed.current();
    source.publish("b");
    expect(boxed.current()).not.toBe(before);
  });

  it("hands what the map throws to the reader", async () => {
    const broken = mapSource(createSource("a"), () => {
      throw new Error("broken");
    });
    expect(() => broken.current()).toThrow("broken");
    await expect(readAll(broken, never)).rejects.toThrow("broken");
  });
});

describe("firstValue", () => {
  it("resolves with the value there is, or the first to come", async () => {
    expect(await firstValue(createSource("a"), never)).toBe("a");
    const later = createSource<string>();
    const first = firstValue(later, never);
    later.publish("b");
    expect(await first).toBe("b");
  });

  it("rejects with the reason on abort", async () => {
    const stop = new AbortController();
    const first = firstValue(createSource<string>(), stop.signal);
    stop.abort("enough");
    await expect(first).rejects.toBe("enough");
    await expect(firstValue(createSource("a"), stop.signal)).rejects.toBe("enough");
  });
});

/** A value that changes over time: what it is now, and how to follow it. */
export interface Source<T> {
  /** The value now, or undefined while there is none yet. */
  current(): T | undefined;
  /**
   * Yields the value now, if there is one, and then each later one. A slow reader sees only the latest.
   *
   * Returns (does not throw) on abort; only the abort ends it.
   */
  changes(signal: AbortSignal): AsyncIterable<T>;
}

/** A Source together with the right to change it; its one owner keeps it and passes it on as a Source. */
export interface Publisher<T> extends Source<T> {
  /** Replaces the value and wakes every reader. Every call counts as a change, also with an equal value. */
  publish(value: T): void;
}

/**
 * A Source that its owner publishes to; without `initial` it has no value yet.
 * @example
 * ```ts
 * import { createSource } from "@signet/runtime";
 * const greeting = createSource("hello");
 * greeting.publish("good day");
 * greeting.current(); // "good day"
 * ```
 */
export function createSource<T>(initial?: T): Publisher<T> {
  let latest: { readonly value: T; readonly version: number } | undefined;
  const sleepers = new Set<() => void>();
  if (initial !== undefined) latest = { value: initial, version: 1 };

  async function* changes(signal: AbortSignal): AsyncGenerator<T, void, undefined> {
    let seen = 0;
    while (!signal.aborted) {
      if (latest === undefined || latest.version === seen) {
        await nextWake(sleepers, signal);
      } else {
        seen = latest.version;
        yield latest.value;
      }
    }
  }

  return {
    current: () => latest?.value,
    changes,
    publish(value) {
      latest = { value, version: (latest?.version ?? 0) + 1 };
      for (const wake of [...sleepers]) wake();
    },
  };
}

/** Resolves when woken or aborted, and leaves nothing behind in either: sources live as long as the process. */
function nextWake(sleepers: Set<() => void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const wake = (): void => {
      sleepers.delete(wake);
      signal.removeEventListener("abort", wake);
      resolve();
    };
    sleepers.add(wake);
    signal.addEventListener("abort", wake, { once: true });
  });
}

/**
 * A Source that has this value and never another.
 * @example
 * ```ts
 * import { constantSource } from "@signet/runtime";
 * constantSource("hello").current(); // "hello"
 * ```
 */
export function constantSource<T>(value: T): Source<T> {
  return createSource<T>(value);
}

/**
 * A Source of `map(value)` for every value of `source`.
 *
 * `map` should be pure. As long as the value of `source` stays the same it is called once and the same result is returned, so
 * that results can be compared with `===`. What it throws reaches whoever reads.
 * @example
 * ```ts
 * import { createSource, mapSource } from "@signet/runtime";
 * const celsius = createSource(20);
 * mapSource(celsius, (degrees) => degrees * 1.8 + 32).current(); // 68
 * ```
 */
export function mapSource<A, B>(source: Source<A>, map: (value: A) => B): Source<B> {
  let last: { readonly from: A; readonly to: B } | undefined;

  function mapped(value: A): B {
    if (last === undefined || !Object.is(last.from, value)) last = { from: value, to: map(value) };
    return last.to;
  }

  return {
    current() {
      const value = source.current();
      return value === undefined ? undefined : mapped(value);
    },
    async *changes(signal) {
      for await (const value of source.changes(signal)) yield mapped(value);
    },
  };
}

/**
 * The value of `source` as soon as it has one. Rejects with `signal.reason` on abort.
 * @example
 * ```ts
 * import { createSource, firstValue } from "@signet/runtime";
 * const source = createSource<string>();
 * setTimeout(() => source.publish("ready"), 5);
 * await firstValue(source, AbortSignal.timeout(1000)); // "ready"
 * ```
 */
export async function firstValue<T>(source: Source<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  for await (const value of source.changes(signal)) return value;
  throw signal.reason;
}

import type { Clock } from "./clock.ts";
import { RuntimeError } from "./errors.ts";

type Sleeper = { readonly due: number; readonly wake: () => void };

const longestWaitMs = 10_000;

/**
 * A clock that stands still until a test moves it.
 *
 * It has two hands, as a machine has: the monotonic one, which timers follow, and the wall, which `now()` reads. `advance` moves
 * both; `jump` moves the wall only, as a suspend or a step by NTP does.
 * @example
 * ```ts
 * import { FakeClock } from "@signet/runtime/testing";
 * const clock = new FakeClock(new Date("2026-01-01T00:00:00Z"));
 * const nap = clock.sleep(1000, new AbortController().signal);
 * await clock.advance(1000);
 * await nap;
 * ```
 */
export class FakeClock implements Clock {
  #wallMs: number;
  #monotonicMs = 0;
  #yielding = 0;
  readonly #sleepers = new Set<Sleeper>();

  constructor(start: Date = new Date("2026-01-01T00:00:00Z")) {
    this.#wallMs = start.getTime();
  }

  now(): Date {
    return new Date(this.#wallMs);
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    if (Number.isNaN(ms)) throw new RuntimeError("argument-invalid", "cannot sleep NaN milliseconds");
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const sleeper = { due: this.#monotonicMs + ms, wake };
      const abort = (): void => {
        this.#sleepers.delete(sleeper);
        reject(signal.reason);
      };
      function wake(): void {
        signal.removeEventListener("abort", abort);
        resolve();
      }
      if (ms <= 0) return this.#yield(resolve);
      this.#sleepers.add(sleeper);
      signal.addEventListener("abort", abort, { once: true });
    });
  }

  /** Moves on by `ms`, firing sleeps in the order they are due; what each sets off runs before the next one fires. */
  async advance(ms: number): Promise<void> {
    const end = this.#monotonicMs + ms;
    await this.#settle();
    for (let next = this.#nextDue(end); next !== undefined; next = this.#nextDue(end)) {
      this.#moveTo(next.due);
      this.#sleepers.delete(next);
      next.wake();
      await this.#settle();
    }
    this.#moveTo(end);
  }

  /** Steps the wall clock, forwards or backwards; sleeps keep what is left of their time. */
  jump(ms: number): void {
    this.#wallMs += ms;
  }

  /** How many sleeps are waiting. */
  sleepers(): number {
    return this.#sleepers.size;
  }

  /** Resolves once at least `count` sleeps are waiting, for code that does real work before it sleeps; throws after 10 real seconds. */
  async untilSleepers(count = 1): Promise<void> {
    const startedAt = performance.now();
    while (this.#sleepers.size < count) {
      if (performance.now() - startedAt > longestWaitMs) {
        throw new RuntimeError("deadline-exceeded", `${this.#sleepers.size} sleeps after 10s, expected ${count}`);
      }
      await settle();
    }
  }

  /** The earliest sleep due by `end`; of several at one instant, the one that began first. */
  #nextDue(end: number): Sleeper | undefined {
    let earliest: Sleeper | undefined;
    for (const sleeper of this.#sleepers) {
      if (sleeper.due <= end && sleeper.due < (earliest?.due ?? Infinity)) earliest = sleeper;
    }
    return earliest;
  }

  /** A sleep of no time needs no move of the clock, but `advance` has to wait for what it sets off. */
  #yield(resolve: () => void): void {
    this.#yielding += 1;
    setImmediate(() => {
      this.#yielding -= 1;
      resolve();
    });
  }

  async #settle(): Promise<void> {
    do await settle();
    while (this.#yielding > 0);
  }

  #moveTo(monotonicMs: number): void {
    this.#wallMs += monotonicMs - this.#monotonicMs;
    this.#monotonicMs = monotonicMs;
  }
}

/** Lets every promise that can move do so: microtasks run to the end before an immediate does. */
function settle(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

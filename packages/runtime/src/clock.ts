import { RuntimeError } from "./errors.ts";

/** The wall clock and its timers, passed to whatever needs the time. */
export interface Clock {
  /** The instant now; may step forwards or backwards at any time. */
  now(): Date;
  /**
   * Resolves after `ms` milliseconds of running time, whatever the wall clock does meanwhile.
   *
   * Zero or less resolves soon; Infinity waits for the abort. Rejects with `signal.reason` on abort.
   */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** A number in [0, 1), like `Math.random`. */
export type Random = () => number;

// setTimeout takes a signed 32-bit number; anything above fires at once.
const longestTimerMs = 2 ** 31 - 1;

/**
 * The clock of the machine. Its sleeps may be longer than the 24.8 days of one timer.
 * @example
 * ```ts
 * import { systemClock } from "@signet/runtime";
 * await systemClock.sleep(5, AbortSignal.timeout(1000));
 * ```
 */
export const systemClock: Clock = {
  now: () => new Date(),
  sleep,
};

async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  if (Number.isNaN(ms)) throw new RuntimeError("argument-invalid", "cannot sleep NaN milliseconds");
  const endsAt = performance.now() + ms;
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    let timer = setTimeout(wake, timerMs(ms));
    signal.addEventListener("abort", abort, { once: true });

    function wake(): void {
      const left = endsAt - performance.now();
      if (left > 1) {
        timer = setTimeout(wake, timerMs(left));
        return;
      }
      signal.removeEventListener("abort", abort);
      resolve();
    }

    function abort(): void {
      clearTimeout(timer);
      reject(signal.reason);
    }
  });
}

function timerMs(ms: number): number {
  return Math.min(Math.max(ms, 0), longestTimerMs);
}

const defaultTickMs = 15_000;

/**
 * Resolves once the wall clock has reached `at`.
 *
 * Timers do not run while a machine is suspended and do not see a step of the wall clock, so the clock (and `at`, when it is
 * a function) is read again at least every `tickMs`, 15 seconds by default. Rejects with `signal.reason` on abort.
 * @throws RuntimeError `argument-invalid` when `at` is an invalid date or `tickMs` is not above zero
 * @example
 * ```ts
 * import { sleepUntil, systemClock } from "@signet/runtime";
 * const at = new Date(Date.now() + 5);
 * await sleepUntil(systemClock, at, { tickMs: 1000 }, AbortSignal.timeout(1000));
 * ```
 */
export async function sleepUntil(
  clock: Clock,
  at: Date | (() => Date),
  options: { readonly tickMs?: number },
  signal: AbortSignal,
): Promise<void> {
  const tickMs = options.tickMs ?? defaultTickMs;
  if (!(tickMs > 0)) throw new RuntimeError("argument-invalid", `tick of ${tickMs}ms is not above zero`);
  for (;;) {
    signal.throwIfAborted();
    const target = typeof at === "function" ? at() : at;
    const leftMs = target.getTime() - clock.now().getTime();
    if (Number.isNaN(leftMs)) throw new RuntimeError("argument-invalid", "cannot sleep until an invalid date");
    if (leftMs <= 0) return;
    await clock.sleep(Math.min(leftMs, tickMs), signal);
  }
}

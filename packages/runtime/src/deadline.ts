import type { Clock } from "./clock.ts";
import { formatDuration } from "./duration.ts";
import { RuntimeError } from "./errors.ts";

/**
 * The result of `work`, if it comes within `ms` milliseconds.
 *
 * The signal given to `work` aborts on the deadline and with `signal`, for as long as the work lasts. Work that does not listen is
 * not waited for: the promise rejects at once, and what the work does later is ignored. `what` names the work in the message.
 * Rejects with `signal.reason` on abort.
 * @throws RuntimeError `deadline-exceeded`
 * @example
 * ```ts
 * import { systemClock, withDeadline } from "@signet/runtime";
 * const never = new AbortController().signal;
 * const deadline = { clock: systemClock, ms: 1000, what: "reading the answer" };
 * await withDeadline(deadline, async () => 42, never); // 42
 * ```
 */
export async function withDeadline<T>(
  options: { readonly clock: Clock; readonly ms: number; readonly what: string },
  work: (signal: AbortSignal) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  signal.throwIfAborted();
  const { clock, ms, what } = options;
  const timer = new AbortController();
  // Not AbortSignal.any: a listener that the work forgets would keep such a signal alive as long as `signal`.
  const working = new AbortController();
  const result = Promise.withResolvers<T>();
  const stop = (reason: unknown): void => {
    working.abort(reason);
    result.reject(reason);
  };
  const abort = (): void => stop(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  const expire = (): void => {
    stop(new RuntimeError("deadline-exceeded", `${what} took longer than ${formatDuration(ms)}`));
  };
  try {
    clock.sleep(ms, timer.signal).then(expire, result.reject);
    work(working.signal).then(result.resolve, result.reject);
    return await result.promise;
  } finally {
    signal.removeEventListener("abort", abort);
    // Any reason but none: without one an exception is made, with a stack trace, for each piece of work that ends in time.
    timer.abort(over);
  }
}

const over = "the work is over";

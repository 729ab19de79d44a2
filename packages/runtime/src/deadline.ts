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
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => {
    working.abort(signal.reason);
    aborted.reject(signal.reason);
  };
  signal.addEventListener("abort", abort, { once: true });

  async function expire(): Promise<never> {
    await clock.sleep(ms, timer.signal);
    const error = new RuntimeError("deadline-exceeded", `${what} took longer than ${formatDuration(ms)}`);
    working.abort(error);
    throw error;
  }

  try {
    return await Promise.race([work(working.signal), expire(), aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
    timer.abort();
  }
}

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
export function withDeadline<T>(
  options: { readonly clock: Clock; readonly ms: number; readonly what: string },
  work: (signal: AbortSignal) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    signal.throwIfAborted();
    const { clock, ms, what } = options;
    // Not AbortSignal.any: a listener that the work forgets would keep such a signal alive as long as `signal`.
    const working = new AbortController();
    const timer = new AbortController();

    function settle(): void {
      signal.removeEventListener("abort", cancel);
      timer.abort(notNeeded);
    }
    function cut(reason: unknown): void {
      settle();
      working.abort(reason);
      reject(reason);
    }
    function cancel(): void {
      cut(signal.reason);
    }
    function expire(): void {
      if (timer.signal.aborted) return;
      cut(new RuntimeError("deadline-exceeded", `${what} took longer than ${formatDuration(ms)}`));
    }

    signal.addEventListener("abort", cancel, { once: true });
    try {
      work(working.signal).then(
        (result) => {
          settle();
          resolve(result);
        },
        (error: unknown) => {
          settle();
          reject(error);
        },
      );
    } catch (error) {
      settle();
      reject(error);
      return;
    }
    clock.sleep(ms, timer.signal).then(expire, (error: unknown) => {
      if (!timer.signal.aborted) cut(error);
    });
  });
}

/** Why a timer that is not needed any more is aborted: without a reason Node makes an exception, which costs microseconds. */
const notNeeded = "the work is over";

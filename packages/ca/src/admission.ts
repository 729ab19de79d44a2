import { RuntimeError } from "@signet/runtime";
import { CaError } from "./errors.ts";

/** Lets a bounded number of calls have something signed at once, and a bounded number wait for that. */
export interface Admission {
  /**
   * What `work` returns, begun as soon as there is room: those who wait go in the order they came.
   *
   * Rejects with `signal.reason` when aborted while it waits; once begun, `work` has to listen to the signal itself.
   * @throws CaError `overloaded` at once, when as many wait already as may
   */
  run<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T>;
  /** How many run now. */
  running(): number;
  /** How many wait now. */
  waiting(): number;
}

/**
 * Returns an admission with room for `maxConcurrent` calls, at least 1, and for `maxQueued` that wait, 0 or more.
 *
 * In front of a signing CA elsewhere, so that a slow backend makes callers wait or turns them away, and neither fills
 * this process with calls nor the backend with connections.
 * @throws RuntimeError `argument-invalid`
 * @example
 * ```ts
 * import { createAdmission } from "@signet/ca";
 * const admission = createAdmission({ maxConcurrent: 32, maxQueued: 256 });
 * await admission.run(async () => "signed", AbortSignal.timeout(5000)); // "signed"
 * ```
 */
export function createAdmission(options: { readonly maxConcurrent: number; readonly maxQueued: number }): Admission {
  const { maxConcurrent, maxQueued } = options;
  checkCount("calls at once", maxConcurrent, 1);
  checkCount("calls that wait", maxQueued, 0);
  let running = 0;
  // Keeps the order in which they came, and forgets one that goes away in constant time.
  const waiting = new Set<() => void>();

  function enter(signal: AbortSignal): Promise<void> | undefined {
    if (running < maxConcurrent) {
      running++;
      return undefined;
    }
    if (waiting.size >= maxQueued) {
      throw new CaError("overloaded", `${maxConcurrent} signatures are under way and ${waiting.size} calls wait`);
    }
    return new Promise((resolve, reject) => {
      const begin = (): void => {
        signal.removeEventListener("abort", leave);
        resolve();
      };
      const leave = (): void => {
        waiting.delete(begin);
        reject(signal.reason);
      };
      waiting.add(begin);
      signal.addEventListener("abort", leave, { once: true });
    });
  }

  /** Hands the room to whoever has waited longest, so that nobody who comes just now gets in before. */
  function exit(): void {
    const [longest] = waiting;
    if (longest === undefined) {
      running--;
      return;
    }
    waiting.delete(longest);
    longest();
  }

  return {
    async run(work, signal) {
      signal.throwIfAborted();
      const turn = enter(signal);
      if (turn !== undefined) await turn;
      try {
        return await work();
      } finally {
        exit();
      }
    },
    running: () => running,
    waiting: () => waiting.size,
  };
}

function checkCount(what: string, count: number, least: number): void {
  if (Number.isSafeInteger(count) && count >= least) return;
  throw new RuntimeError("argument-invalid", `${count} ${what} is not a whole number of at least ${least}`);
}

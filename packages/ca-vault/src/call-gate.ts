import type { Clock } from "@signet/runtime";
import { VaultError } from "./errors.ts";

/** Lets so many calls through at a time and keeps so many waiting; none while Vault has asked us to stay away. */
export interface CallGate {
  /**
   * The result of `work`, once it is its turn; first come, first served. Rejects with `signal.reason` when aborted.
   * @throws VaultError `overloaded` when too many wait already
   */
  run<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T>;
  /** No call begins within the next `ms` milliseconds. */
  pause(ms: number): void;
  /** For how much longer no call begins, in milliseconds. */
  pausedMs(): number;
}

type Waiter = { readonly enter: () => void };

/** Returns a gate that is open; once `lifetime` has ended, a pause lasts. */
export function createCallGate(
  limits: { readonly maxConcurrent: number; readonly maxWaiting: number },
  { clock, lifetime }: { readonly clock: Clock; readonly lifetime: AbortSignal },
): CallGate {
  const waiters = new Set<Waiter>();
  let running = 0;
  let pauses = 0;
  let pausedUntil = 0;

  function admitNext(): void {
    while (pauses === 0 && running < limits.maxConcurrent) {
      const [next] = waiters;
      if (next === undefined) return;
      waiters.delete(next);
      running += 1;
      next.enter();
    }
  }

  function enter(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      if (waiters.size >= limits.maxWaiting) {
        return reject(new VaultError("overloaded", `${waiters.size} calls wait for Vault already`));
      }
      const leave = (): void => {
        waiters.delete(waiter);
        reject(signal.reason);
      };
      const waiter: Waiter = {
        enter() {
          signal.removeEventListener("abort", leave);
          resolve();
        },
      };
      signal.addEventListener("abort", leave, { once: true });
      waiters.add(waiter);
      admitNext();
    });
  }

  return {
    async run(work, signal) {
      await enter(signal);
      try {
        return await work();
      } finally {
        running -= 1;
        admitNext();
      }
    },
    pause(ms) {
      pauses += 1;
      pausedUntil = Math.max(pausedUntil, clock.now().getTime() + ms);
      const resume = (): void => {
        pauses -= 1;
        admitNext();
      };
      clock.sleep(ms, lifetime).then(resume, () => undefined);
    },
    pausedMs: () => (pauses === 0 ? 0 : Math.max(pausedUntil - clock.now().getTime(), 0)),
  };
}

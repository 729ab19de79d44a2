import type { Clock } from "@signet/runtime";

/** Keys that become due; a key stands in it once, for the earliest instant it was added with. */
export interface DueQueue {
  /** `delayMs` from now. */
  add(key: string, delayMs: number): void;
  remove(key: string): void;
  size(): number;
  /** Takes out a key that is due, waiting for it. Rejects with `signal.reason` on abort. For one reader. */
  next(signal: AbortSignal): Promise<string>;
}

/** Returns an empty queue. */
export function createDueQueue(clock: Clock): DueQueue {
  const due = new Set<string>();
  const delayed = new Map<string, number>();
  let wake = (): void => {};

  function collect(now: number): number {
    let earliest = Number.POSITIVE_INFINITY;
    for (const [key, at] of delayed) {
      if (at <= now) {
        delayed.delete(key);
        due.add(key);
      } else {
        earliest = Math.min(earliest, at);
      }
    }
    return earliest - now;
  }

  async function sleep(ms: number, signal: AbortSignal): Promise<void> {
    const nap = new AbortController();
    const end = (): void => nap.abort();
    signal.addEventListener("abort", end, { once: true });
    wake = end;
    // A wall clock that is set forward makes keys due that no timer knows of.
    await clock.sleep(Math.min(ms, longestNapMs), nap.signal).catch(() => {});
    signal.removeEventListener("abort", end);
  }

  return {
    add(key, delayMs) {
      if (due.has(key)) return;
      const at = clock.now().getTime() + delayMs;
      delayed.set(key, Math.min(at, delayed.get(key) ?? at));
      wake();
    },
    remove(key) {
      due.delete(key);
      delayed.delete(key);
    },
    size: () => due.size + delayed.size,
    async next(signal) {
      for (;;) {
        signal.throwIfAborted();
        const waitMs = due.size === 0 ? collect(clock.now().getTime()) : 0;
        const [key] = due;
        if (key !== undefined) {
          due.delete(key);
          return key;
        }
        await sleep(waitMs, signal);
      }
    },
  };
}

const longestNapMs = 15_000;

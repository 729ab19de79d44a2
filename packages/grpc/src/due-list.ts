/** Things that all fall due the same time after they were added, under one timer. */
export interface DueList<T> {
  add(thing: T): void;
  /** It will not fall due any more. */
  delete(thing: T): void;
}

/**
 * A DueList that calls `fallDue` for each thing `afterMs` after it was added, unless it was deleted; Infinity for never. Most
 * calls end long before they are due, and a timer of its own for each costs more than the rest of their bookkeeping.
 *
 * Its timer does not keep the process alive.
 */
export function createDueList<T>(afterMs: number, fallDue: (thing: T) => void): DueList<T> {
  if (!Number.isFinite(afterMs)) return { add: () => {}, delete: () => {} };
  // In the order in which they were added, which is the order in which they fall due.
  const dueAt = new Map<T, number>();
  let waiting = false;

  function wait(ms: number): void {
    waiting = true;
    setTimeout(check, Math.min(ms, longestTimerMs)).unref();
  }

  function check(): void {
    waiting = false;
    for (const [thing, at] of dueAt) {
      const leftMs = at - performance.now();
      // A timer may be early by a fraction of a millisecond.
      if (leftMs > 1) {
        wait(leftMs);
        return;
      }
      dueAt.delete(thing);
      fallDue(thing);
    }
  }

  return {
    add(thing) {
      dueAt.set(thing, performance.now() + afterMs);
      if (!waiting) wait(afterMs);
    },
    delete: (thing) => void dueAt.delete(thing),
  };
}

// setTimeout takes a signed 32-bit number; anything above fires at once.
const longestTimerMs = 2 ** 31 - 1;

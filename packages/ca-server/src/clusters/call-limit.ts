/** Lets a bounded number of calls run at a time, and a bounded number wait for their turn. */
export interface CallLimit {
  /** Runs `work` when there is room, or returns "overloaded" at once. Rejects with the reason of `signal` while waiting. */
  run<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T | "overloaded">;
}

/** Returns a limit whose callers are served in the order they came. */
export function createCallLimit({ maxRunning, maxWaiting }: { maxRunning: number; maxWaiting: number }): CallLimit {
  let running = 0;
  const waiting = new Set<() => void>();

  function next(): void {
    running -= 1;
    const [first] = waiting;
    first?.();
  }

  function turn(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        waiting.delete(enter);
        signal.removeEventListener("abort", abort);
      };
      const enter = (): void => {
        leave();
        running += 1;
        resolve();
      };
      const abort = (): void => {
        leave();
        reject(signal.reason);
      };
      waiting.add(enter);
      signal.addEventListener("abort", abort, { once: true });
    });
  }

  return {
    async run(work, signal) {
      signal.throwIfAborted();
      if (running < maxRunning) running += 1;
      else if (waiting.size < maxWaiting) await turn(signal);
      else return "overloaded";
      try {
        return await work();
      } finally {
        next();
      }
    },
  };
}

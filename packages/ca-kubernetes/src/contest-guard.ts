import type { Clock } from "@signet/runtime";

/** Slows down writing to what somebody else keeps writing to as well. */
export interface ContestGuard {
  /** How long to wait before the next write to `key`, in milliseconds; 0 when it may be written now. */
  waitMs(key: string): number;
  /** Notes a write; true when this one shows, for the first time, that the key is contested. */
  wrote(key: string): boolean;
  forget(key: string): void;
}

/** So many corrections in a row are ordinary: a new root, an edit, another edit. */
const freeWrites = 3;
const firstWaitMs = 1_000;
const longestWaitMs = 60_000;
/** After so long without a write all is forgotten. */
const quietMs = 300_000;

/** Returns a guard that lets three writes pass at once, and then waits from one second doubling to a minute between writes. */
export function createContestGuard(clock: Clock): ContestGuard {
  const writes = new Map<string, { readonly count: number; readonly atMs: number }>();

  function recent(key: string): { readonly count: number; readonly atMs: number } | undefined {
    const last = writes.get(key);
    if (last === undefined || clock.now().getTime() - last.atMs < quietMs) return last;
    writes.delete(key);
    return undefined;
  }

  return {
    waitMs(key) {
      const last = recent(key);
      if (last === undefined || last.count < freeWrites) return 0;
      const gapMs = Math.min(longestWaitMs, firstWaitMs * 2 ** (last.count - freeWrites));
      return Math.max(0, Math.min(gapMs, last.atMs + gapMs - clock.now().getTime()));
    },
    wrote(key) {
      const count = (recent(key)?.count ?? 0) + 1;
      writes.set(key, { count, atMs: clock.now().getTime() });
      return count === freeWrites + 1;
    },
    forget: (key) => void writes.delete(key),
  };
}

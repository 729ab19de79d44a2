import { type FSWatcher, watch } from "node:fs";
import type { Clock } from "@signet/runtime";

/** Notices of the system that something in some directories may have changed: hints, which may be missing or false. */
export interface DirectoryNotices {
  /** Asks the system anew about exactly these, since each may be another one of the same name by now; what cannot be watched is not. */
  watch(directories: readonly string[]): void;
  /** Resolves after a notice, also one since the last call, or after `ms` at the latest. Rejects with `signal.reason` on abort. */
  next(timer: { readonly clock: Clock; readonly ms: number }, signal: AbortSignal): Promise<void>;
  close(): void;
}

/** The system has few of them to give; beyond these, changes are found by looking. */
const maxWatched = 256;

/** Returns the notices of no directory yet. */
export function createDirectoryNotices(): DirectoryNotices {
  let watchers: readonly FSWatcher[] = [];
  let pending = false;
  let wake: (() => void) | undefined;

  function note(): void {
    pending = true;
    wake?.();
  }

  function open(directory: string): FSWatcher | undefined {
    try {
      const watcher = watch(directory, { persistent: false }, note);
      // A watch that breaks says nothing more: the next look renews it.
      watcher.on("error", note);
      return watcher;
    } catch {
      return undefined;
    }
  }

  function close(old: readonly FSWatcher[]): void {
    for (const watcher of old) watcher.close();
  }

  return {
    watch(directories) {
      const before = watchers;
      watchers = directories
        .slice(0, maxWatched)
        .map(open)
        .filter((watcher) => watcher !== undefined);
      // After the new ones are there, so that no change falls between the two.
      close(before);
    },
    async next({ clock, ms }, signal) {
      const stop = new AbortController();
      const either = AbortSignal.any([signal, stop.signal]);
      const noticed = new Promise<void>((resolve) => {
        wake = resolve;
        if (pending) resolve();
      });
      const timer = clock.sleep(ms, either);
      try {
        await Promise.race([noticed, timer]);
      } finally {
        pending = false;
        wake = undefined;
        stop.abort();
        await timer.catch(() => undefined);
      }
    },
    close: () => close(watchers),
  };
}

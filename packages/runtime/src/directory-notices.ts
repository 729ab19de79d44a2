import { type FSWatcher, watch } from "node:fs";

/** Notices of the system that something in some directories may have changed: hints, which may be missing or false. */
export interface DirectoryNotices {
  /** Whether there was a notice since `clear`. */
  pending(): boolean;
  clear(): void;
  /** Makes a notice pending, whatever the system says. */
  note(): void;
  /** Resolves once a notice is pending. Rejects with `signal.reason` on abort. */
  next(signal: AbortSignal): Promise<void>;
  /**
   * Asks the system anew for notices of these directories and no others, since they may be others of the same names by now;
   * returns the directories of which it gives none, and what it said.
   */
  renew(directories: readonly string[]): readonly { readonly directory: string; readonly error: unknown }[];
  close(): void;
}

/** Returns notices of no directory yet; `renew` says of which. */
export function createDirectoryNotices(): DirectoryNotices {
  let watchers: readonly FSWatcher[] = [];
  let isPending = false;
  let wake: (() => void) | undefined;

  function note(): void {
    isPending = true;
    wake?.();
  }

  function open(directory: string): FSWatcher {
    const opened = watch(directory, { persistent: false }, note);
    // A watch that breaks says nothing more: the next look renews it.
    opened.on("error", note);
    return opened;
  }

  return {
    pending: () => isPending,
    clear() {
      isPending = false;
    },
    note,
    next(signal) {
      return new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason);
        const abort = (): void => reject(signal.reason);
        signal.addEventListener("abort", abort, { once: true });
        wake = () => {
          wake = undefined;
          signal.removeEventListener("abort", abort);
          resolve();
        };
        if (isPending) wake();
      });
    },
    renew(directories) {
      const before = watchers;
      const refused: { directory: string; error: unknown }[] = [];
      watchers = directories.flatMap((directory) => {
        try {
          return [open(directory)];
        } catch (error) {
          refused.push({ directory, error: error ?? new Error("the directory cannot be watched") });
          return [];
        }
      });
      // After the new ones are there, so that no change falls between.
      for (const watcher of before) watcher.close();
      return refused;
    },
    close() {
      for (const watcher of watchers) watcher.close();
      watchers = [];
    },
  };
}

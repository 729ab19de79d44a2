import { type FSWatcher, watch } from "node:fs";

/** Notices of the system that something in a directory may have changed: hints, which may be missing or false. */
export interface CacertsNotices {
  /** Whether there was a notice since `clear`. */
  pending(): boolean;
  clear(): void;
  /** Resolves once a notice is pending. Rejects with `signal.reason` on abort. */
  next(signal: AbortSignal): Promise<void>;
  /** Asks the system anew, since the directory may be another one of the same name by now; returns what it said if it would not. */
  renew(): unknown;
  close(): void;
}

/** Returns the notices for a directory; there are none before `renew`. */
export function createCacertsNotices(directory: string): CacertsNotices {
  let watcher: FSWatcher | undefined;
  let isPending = false;
  let wake: (() => void) | undefined;

  function note(): void {
    isPending = true;
    wake?.();
  }

  function open(): FSWatcher {
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
    renew() {
      const before = watcher;
      try {
        watcher = open();
        return undefined;
      } catch (error) {
        watcher = undefined;
        return error ?? new Error("the directory cannot be watched");
      } finally {
        // After the new one is there, so that no change falls between the two.
        before?.close();
      }
    },
    close() {
      watcher?.close();
      watcher = undefined;
    },
  };
}

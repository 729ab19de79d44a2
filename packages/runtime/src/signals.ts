import { constants } from "node:os";

/**
 * A signal that aborts when the process is asked to end: SIGINT or SIGTERM unless others are named.
 *
 * The listeners stay for the life of the process. A second signal ends the process at once with 128 plus its number, for
 * whoever does not want to wait for the shutdown.
 * @example
 * ```ts
 * import { runGroup, shutdownSignal } from "@signet/runtime";
 * await runGroup([], shutdownSignal());
 * ```
 */
export function shutdownSignal(names: readonly NodeJS.Signals[] = ["SIGINT", "SIGTERM"]): AbortSignal {
  const controller = new AbortController();
  for (const name of names) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(128 + constants.signals[name]);
      controller.abort();
    });
  }
  return controller.signal;
}

import { constants } from "node:os";

/**
 * A signal that aborts when the process is asked to end: SIGINT or SIGTERM unless others are named.
 *
 * The listeners stay for the life of the process. A second signal ends the process at once with 128 plus its number, for
 * whoever does not want to wait for the shutdown; within `settleMs` (500 by default) of the first it counts as the same
 * one, since npm passes on a Ctrl-C that the terminal has sent to its child already.
 * @example
 * ```ts
 * import { runGroup, shutdownSignal } from "@signet/runtime";
 * await runGroup([], shutdownSignal());
 * ```
 */
export function shutdownSignal(
  names: readonly NodeJS.Signals[] = ["SIGINT", "SIGTERM"],
  { settleMs = 500 }: { readonly settleMs?: number } = {},
): AbortSignal {
  const controller = new AbortController();
  let firstAt = 0;
  for (const name of names) {
    process.on(name, () => {
      if (!controller.signal.aborted) {
        firstAt = performance.now();
        controller.abort();
      } else if (performance.now() - firstAt >= settleMs) {
        process.exit(128 + constants.signals[name]);
      }
    });
  }
  return controller.signal;
}

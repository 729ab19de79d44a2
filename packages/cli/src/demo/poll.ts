import { setTimeout as sleep } from "node:timers/promises";

/** How long to wait for something to come up, and how to name it when it does not. */
export type Patience = { readonly what: string; readonly limitMs: number };

const periodMs = 50;

/**
 * Returns the first defined value of `look`, asked again every 50 ms; a `look` that throws counts as "not yet".
 *
 * @throws Error after `limitMs`, with the last reason; whatever the signal holds, when it aborts
 */
export async function poll<T>(
  look: () => Promise<T | undefined>,
  patience: Patience,
  signal?: AbortSignal,
): Promise<T> {
  const giveUpAt = performance.now() + patience.limitMs;
  let last = "nothing yet";
  while (performance.now() < giveUpAt) {
    signal?.throwIfAborted();
    try {
      const value = await look();
      if (value !== undefined) {
        return value;
      }
    } catch (error) {
      last = error instanceof Error ? error.message : String(error);
    }
    await sleep(periodMs, undefined, signal && { signal });
  }
  throw new Error(`${patience.what} is not there after ${patience.limitMs / 1000} s: ${last}`);
}

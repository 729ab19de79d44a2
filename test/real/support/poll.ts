import { setTimeout as sleep } from "node:timers/promises";

const periodMs = 50;

/**
 * Returns the first defined value of `look`, asked again every 50 ms; a `look` that throws counts as "not yet".
 * @throws Error after `limitMs`, with the last reason
 */
export async function poll<T>(
  look: () => Promise<T | undefined>,
  patience: { readonly what: string; readonly limitMs: number },
): Promise<T> {
  const giveUpAt = performance.now() + patience.limitMs;
  let last: unknown = "nothing yet";
  while (performance.now() < giveUpAt) {
    try {
      const value = await look();
      if (value !== undefined) return value;
    } catch (error) {
      last = error instanceof Error ? error.message : error;
    }
    await sleep(periodMs);
  }
  throw new Error(`${patience.what} is not there after ${patience.limitMs / 1000} s: ${last}`);
}

import type { Random } from "./clock.ts";
import { RuntimeError } from "./errors.ts";

/** Waits between attempts that grow with every failure. */
export interface Backoff {
  /** The next wait in whole milliseconds; never above `atMostMs`, even where that is below the floor. */
  nextMs(atMostMs?: number): number;
  /** Back to the first wait, after a success. */
  reset(): void;
}

/**
 * Full jitter: the wait before attempt n+1 is uniform in [minMs, min(maxMs, initialMs * factor^n)].
 *
 * `minMs` is 0 by default, `factor` 2. A cap passed to `nextMs` narrows the interval instead of cutting it off, so that callers
 * in a hurry stay spread out too.
 * @throws RuntimeError `argument-invalid` unless 0 <= minMs <= maxMs, 0 < initialMs <= maxMs and factor >= 1, all finite
 * @example
 * ```ts
 * import { createBackoff } from "@signet/runtime";
 * const backoff = createBackoff({ initialMs: 100, maxMs: 60_000 }, Math.random);
 * backoff.nextMs(); // 0 to 100
 * backoff.nextMs(); // 0 to 200
 * backoff.reset();
 * ```
 */
export function createBackoff(
  options: {
    readonly initialMs: number;
    readonly maxMs: number;
    readonly factor?: number;
    readonly minMs?: number;
  },
  random: Random,
): Backoff {
  const { initialMs, maxMs, factor = 2, minMs = 0 } = options;
  if (
    !(
      initialMs > 0 &&
      initialMs <= maxMs &&
      minMs >= 0 &&
      minMs <= maxMs &&
      factor >= 1 &&
      factor < Infinity &&
      maxMs < Infinity
    )
  ) {
    throw new RuntimeError(
      "argument-invalid",
      `backoff of initial ${initialMs}ms, maximum ${maxMs}ms, minimum ${minMs}ms and factor ${factor} contradicts itself`,
    );
  }
  let ceilingMs = initialMs;
  return {
    nextMs(atMostMs = maxMs) {
      const limitMs = Math.max(atMostMs, 0);
      const upperMs = Math.min(Math.max(ceilingMs, minMs), limitMs);
      const lowerMs = Math.min(minMs, upperMs);
      ceilingMs = Math.min(maxMs, ceilingMs * factor);
      return Math.floor(lowerMs + random() * (upperMs - lowerMs));
    },
    reset() {
      ceilingMs = initialMs;
    },
  };
}

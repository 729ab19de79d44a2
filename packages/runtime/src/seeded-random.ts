import type { Random } from "./clock.ts";

/**
 * The same numbers for the same seed, evenly spread in [0, 1). For tests only: anyone can predict them.
 * @example
 * ```ts
 * import { seededRandom } from "@signet/runtime/testing";
 * seededRandom(1)() === seededRandom(1)(); // true
 * ```
 */
export function seededRandom(seed: number): Random {
  // A Weyl sequence through the finalizer of MurmurHash3: every 32-bit seed gives a full period of 2^32.
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let bits = state ^ (state >>> 16);
    bits = Math.imul(bits, 0x85ebca6b);
    bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
    return ((bits ^ (bits >>> 16)) >>> 0) / 2 ** 32;
  };
}

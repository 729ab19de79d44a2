import type { Clock } from "./clock.ts";

const minuteMs = 60_000;

/** Lines that may still be written: clients can cause thousands a second. */
export type LineBudget = {
  /** How many lines were suppressed since the last one, or undefined when this one is, too. */
  spend(): number | undefined;
};

/**
 * Returns a budget of so many lines in the minute that begins with the first of them; a clock that is stepped back begins another.
 * @example
 * ```ts
 * import { createLineBudget, systemClock } from "@signet/runtime";
 * const budget = createLineBudget(systemClock, 1);
 * budget.spend(); // 0
 * budget.spend(); // undefined
 * ```
 */
export function createLineBudget(clock: Pick<Clock, "now">, linesPerMinute: number): LineBudget {
  let beganAt = Number.NEGATIVE_INFINITY;
  let spent = 0;
  let suppressed = 0;
  return {
    spend() {
      const now = clock.now().getTime();
      if (now < beganAt || now >= beganAt + minuteMs) {
        beganAt = now;
        spent = 0;
      }
      spent += 1;
      if (spent > linesPerMinute) {
        suppressed += 1;
        return undefined;
      }
      const before = suppressed;
      suppressed = 0;
      return before;
    },
  };
}

import type { Clock } from "./clock.ts";
import { withDeadline } from "./deadline.ts";
import { errorMessage } from "./errors.ts";

/** A check that found something. */
export type HealthProblem = { readonly check: string; readonly reason: string };

/** One question about the health of the process. */
export interface HealthCheck {
  readonly name: string;
  /** undefined when healthy, else the reason in a few words. What it throws counts as the reason. */
  check(signal: AbortSignal): Promise<string | undefined>;
}

/**
 * The problems that the checks found, in the order of the checks; none means healthy.
 *
 * All checks run at once; one that has not answered after `deadlineMs` counts as a problem. Rejects with `signal.reason` on abort.
 * @example
 * ```ts
 * import { checkHealth, systemClock } from "@signet/runtime";
 * const never = new AbortController().signal;
 * const checks = [{ name: "disk", check: async () => "disk full" }];
 * await checkHealth(checks, { clock: systemClock, deadlineMs: 1000 }, never);
 * // [{ check: "disk", reason: "disk full" }]
 * ```
 */
export async function checkHealth(
  checks: readonly HealthCheck[],
  options: { readonly clock: Clock; readonly deadlineMs: number },
  signal: AbortSignal,
): Promise<readonly HealthProblem[]> {
  const reasons = await Promise.all(checks.map((check) => reasonOf(check, options, signal)));
  signal.throwIfAborted();
  return checks.flatMap((check, index) => {
    const reason = reasons[index];
    return reason === undefined ? [] : [{ check: check.name, reason }];
  });
}

async function reasonOf(
  check: HealthCheck,
  options: { readonly clock: Clock; readonly deadlineMs: number },
  signal: AbortSignal,
): Promise<string | undefined> {
  const deadline = { clock: options.clock, ms: options.deadlineMs, what: `health check "${check.name}"` };
  try {
    return await withDeadline(deadline, (checkSignal) => check.check(checkSignal), signal);
  } catch (error) {
    return errorMessage(error);
  }
}

import type { AttributedRequest, AuthorizationResult, Authorizer } from "@signet/authorizer";
import { type Clock, RuntimeError, withDeadline } from "@signet/runtime";
import type { FindWorkload } from "./find-workload.ts";
import type { DecisionEvents, FailureCause } from "./report-decisions.ts";
import type { OnFailure } from "./settings.ts";

/** What is answered to whoever asks about a request. */
export type CheckOutcome =
  | { readonly kind: "decided"; readonly result: AuthorizationResult }
  /** Nothing could be decided, and this is what becomes of it. */
  | { readonly kind: "failed"; readonly onFailure: OnFailure }
  /** Nobody can tell which workload the request is for: refused. */
  | { readonly kind: "workload-unknown" };

/** Answers about one request, whatever it came by. Rejects only with the reason of `signal`. */
export type Check = (request: AttributedRequest, signal: AbortSignal) => Promise<CheckOutcome>;

/** Bounds of checks. */
export type CheckOptions = {
  readonly deadlineMs: number;
  readonly maxConcurrentChecks: number;
  readonly onFailure: OnFailure;
};

/** What checks are made with. */
export type CheckDependencies = {
  readonly authorizer: Pick<Authorizer, "authorize">;
  readonly findWorkload: FindWorkload;
  readonly clock: Clock;
  readonly events: DecisionEvents;
};

/** Returns a `Check`, and how many requests wait for something now. */
export function createCheck(
  options: CheckOptions,
  dependencies: CheckDependencies,
): { readonly check: Check; readonly waiting: () => number } {
  const { authorizer, findWorkload, clock, events } = dependencies;
  const { deadlineMs, maxConcurrentChecks, onFailure } = options;
  let waiting = 0;

  const fail = (cause: FailureCause, error: unknown): CheckOutcome => {
    events.failed({ cause, onFailure, error });
    // A fault of ours is never a reason to let somebody in.
    return { kind: "failed", onFailure: cause === "internal" && onFailure === "allow" ? "deny" : onFailure };
  };

  async function waitFor(work: (signal: AbortSignal) => Promise<AuthorizationResult>, signal: AbortSignal) {
    waiting += 1;
    try {
      return await withDeadline({ clock, ms: deadlineMs, what: "a check" }, work, signal);
    } finally {
      waiting -= 1;
    }
  }

  const check: Check = async (request, signal) => {
    const found = findWorkload(request);
    if (found.kind === "unknown") {
      events.workloadUnknown({ why: found.why });
      return { kind: "workload-unknown" };
    }
    const { workload } = found;
    const began = performance.now();
    try {
      if (waiting >= maxConcurrentChecks) return fail("overload", `${waiting} requests wait already`);
      // Tied to the caller's signal only where something is waited for: that costs more than deciding.
      const work = new AbortController();
      const now = authorizer.authorize(request, workload, work.signal);
      const result =
        now instanceof Promise
          ? await waitFor(async (until) => {
              until.addEventListener("abort", () => work.abort(until.reason), { once: true });
              return await now;
            }, signal)
          : now;
      events.decided({ request, workload, result, durationMs: performance.now() - began });
      return { kind: "decided", result };
    } catch (error) {
      signal.throwIfAborted();
      return fail(isDeadline(error) ? "deadline" : "internal", error);
    }
  };
  return { check, waiting: () => waiting };
}

function isDeadline(error: unknown): boolean {
  return error instanceof RuntimeError && error.code === "deadline-exceeded";
}

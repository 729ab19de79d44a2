import { type Clock, withDeadline } from "@signet/runtime";
import type { SigningCa } from "../signing-ca.ts";
import { type Canary, signCanary } from "./canary.ts";

/** Says whether a signing CA signs, at a bounded cost. */
export interface CanaryProbe {
  /**
   * Resolves when the CA has signed a canary of late, and rejects with what that failed with otherwise.
   *
   * All who ask at once share one signature, which goes on when one of them goes away. Rejects with `signal.reason` when
   * aborted.
   * @throws CaError, RuntimeError `deadline-exceeded`
   */
  check(signal: AbortSignal): Promise<void>;
}

/** What is probed, and how often at most. */
export type CanaryProbeOptions = {
  readonly signingCa: SigningCa;
  readonly canary: Canary;
  /** How long a good signature stands; default 3 s for a key in this process, 10 s for one that is asked over a wire. */
  readonly freshMs?: number;
  /** What a signature may take; default 5 s. */
  readonly deadlineMs?: number;
};

const freshLocalMs = 3_000;
const freshRemoteMs = 10_000;
/** A failure stands for no longer than this, so that the end of an outage is seen soon. */
const failedFreshMs = 3_000;

/**
 * Returns a probe of a signing CA for readiness: however many ask, a backend signs one canary in `freshMs`.
 *
 * A failure stands for three seconds, or for `freshMs` where that is less.
 * @example
 * ```ts
 * import { type Canary, createCanaryProbe, type SigningCa } from "@signet/ca";
 * import { systemClock } from "@signet/runtime";
 * export function readinessOf(signingCa: SigningCa, canary: Canary) {
 *   const probe = createCanaryProbe({ signingCa, canary }, systemClock);
 *   return () => probe.check(AbortSignal.timeout(2000));
 * }
 * ```
 */
export function createCanaryProbe(options: CanaryProbeOptions, clock: Clock): CanaryProbe {
  const { signingCa, canary, deadlineMs = 5_000 } = options;
  const freshMs = options.freshMs ?? (signingCa.keyIsLocal ? freshLocalMs : freshRemoteMs);
  let latest: { readonly atMs: number; readonly outcome: Promise<void>; standsMs: number } | undefined;

  function outcome(): Promise<void> {
    const atMs = clock.now().getTime();
    const ageMs = latest === undefined ? Number.POSITIVE_INFINITY : atMs - latest.atMs;
    // A negative age is a wall clock set back: nothing is known about such an outcome's age.
    if (latest !== undefined && ageMs >= 0 && ageMs < latest.standsMs) return latest.outcome;
    const deadline = { clock, ms: deadlineMs, what: "canary signature" };
    const never = new AbortController().signal;
    const signing = withDeadline(deadline, (signal) => signCanary(signingCa, { canary, clock }, signal), never);
    const started = { atMs, outcome: signing, standsMs: Math.max(freshMs, deadlineMs) };
    latest = started;
    signing.then(
      () => {
        started.standsMs = freshMs;
      },
      () => {
        started.standsMs = Math.min(freshMs, failedFreshMs);
      },
    );
    return signing;
  }

  return { check: (signal) => unlessAborted(outcome, signal) };
}

async function unlessAborted(work: () => Promise<void>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    await Promise.race([work(), aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

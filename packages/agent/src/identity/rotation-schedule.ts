import type { Clock, Random } from "@signet/runtime";

/** When an SVID is replaced, as a share of what was left of its lifetime when it arrived. */
export type RotationPolicy = {
  /** Share of the remaining lifetime that is kept in reserve, 0 to 1; 0.5 renews at half. */
  readonly graceRatio: number;
  /** The ratio is moved by up to this much in either direction, so that a fleet does not renew as one. */
  readonly graceRatioJitter: number;
};

/** What is known of an SVID's lifetime when it arrives. */
export type Arrival = {
  readonly receivedAt: Date;
  readonly validity: { readonly notBefore: Date; readonly notAfter: Date };
  readonly requestedTtlMs: number;
};

// A CA near its own end hands out certificates of a few milliseconds; renewals must not become a loop without pauses.
const shortestRenewalMs = 500;
const longestTickMs = 15_000;
const shortestTickMs = 50;
const longestRetryWithoutSvidMs = 15_000;
const longestPushbackWithoutSvidMs = 60_000;
const longestAttemptMs = 10_000;
const shortestAttemptMs = 1_000;

/**
 * Milliseconds that are left of an SVID on its arrival; below 0 when it has expired.
 *
 * More than the whole lifetime from NotBefore on cannot be left: then our clock is behind by no one knows how much, the SVID
 * ends sooner than it says, and nothing is certain but the lifetime that was asked for.
 */
export function decideLeftMs({ receivedAt, validity, requestedTtlMs }: Arrival): number {
  const leftMs = validity.notAfter.getTime() - receivedAt.getTime();
  const wholeMs = validity.notAfter.getTime() - validity.notBefore.getTime();
  return leftMs <= wholeMs ? leftMs : Math.min(wholeMs, requestedTtlMs);
}

/**
 * Milliseconds from the arrival of an SVID until the next one is asked for, when `leftMs` are left of it.
 *
 * Measured from the arrival and never from NotBefore, which the CA backdates and our clock knows nothing of.
 */
export function decideRenewalMs(leftMs: number, policy: RotationPolicy, random: Random): number {
  const ratio = clamp(policy.graceRatio + policy.graceRatioJitter * (2 * random() - 1), 0, 1);
  return Math.max(shortestRenewalMs, leftMs * (1 - ratio));
}

/**
 * Milliseconds between two looks at the clock while no less than `leftMs` are left: a twentieth, from 50 ms to 15 s.
 * Sleep of the machine and clock steps are noticed within one tick.
 */
export function decideTickMs(leftMs: number): number {
  return clamp(leftMs / 20, shortestTickMs, longestTickMs);
}

/**
 * Milliseconds by which our clock is ahead of the CA's, behind where negative; 0 when nothing is known.
 *
 * The CA signed between the request and the answer. Certificates have whole seconds, so what could be either is none.
 */
export function decideClockAheadMs({
  askedAt,
  receivedAt,
  signedAt,
}: {
  readonly askedAt: Date;
  readonly receivedAt: Date;
  readonly signedAt: Date;
}): number {
  const earliestMs = signedAt.getTime();
  const latestMs = earliestMs + 1_000;
  if (askedAt.getTime() > latestMs) return askedAt.getTime() - latestMs;
  return receivedAt.getTime() < earliestMs ? receivedAt.getTime() - earliestMs : 0;
}

/**
 * When an SVID that our clock takes for not valid yet is published; undefined means now.
 *
 * Peers that share our wrong clock refuse it, so a current one that they accept stays in use until then. But the CA's time
 * is at least the new `notBefore`, so the current one may end sooner than our clock thinks: half of that is waited at most.
 */
export function decidePublication(options: {
  readonly now: Date;
  readonly notBefore: Date;
  readonly current: { readonly notBefore: Date; readonly notAfter: Date } | undefined;
}): Date | undefined {
  const { now, notBefore, current } = options;
  if (notBefore <= now || current === undefined) return undefined;
  if (current.notBefore > now || current.notAfter <= now) return undefined;
  const leftByCaMs = current.notAfter.getTime() - notBefore.getTime();
  const publishAt = Math.min(notBefore.getTime(), now.getTime() + leftByCaMs / 2);
  return publishAt > now.getTime() ? new Date(publishAt) : undefined;
}

/**
 * The longest wait, in milliseconds, before the next attempt after a failed one.
 *
 * While an SVID is valid: a tenth of what is left and at most 60 s, so that attempts become more frequent towards the end.
 * Without a valid one, at the start or after the expiry, the workload is down: a tenth of the lifetime that is asked for
 * and at most 15 s. Never so little that a whole fleet at its end becomes a storm: at least 50 ms to 1 s.
 */
export function decideRetryCapMs(options: {
  readonly now: Date;
  readonly notAfter: Date | undefined;
  readonly requestedTtlMs: number;
}): number {
  const leftMs = options.notAfter === undefined ? 0 : options.notAfter.getTime() - options.now.getTime();
  const capMs =
    leftMs > 0
      ? Math.min(retryBackoff.maxMs, leftMs / 10)
      : Math.min(longestRetryWithoutSvidMs, options.requestedTtlMs / 10);
  return Math.max(capMs, clamp(options.requestedTtlMs / 200, retryBackoff.minMs, 1_000));
}

/**
 * Milliseconds until the next attempt: what backoff and jitter come to, or what the CA asked for where that is more.
 *
 * A CA that is overloaded knows best when to come back, and up to a tenth more keeps those it has told the same from coming as
 * one. But it does not know what is left of the SVID: of that no more than a third is waited, and without any no more than a minute.
 */
export function decideRetryMs(
  {
    backoffMs,
    pushbackMs,
    leftMs,
  }: { readonly backoffMs: number; readonly pushbackMs: number; readonly leftMs: number },
  random: Random,
): number {
  const mostMs = leftMs > 0 ? leftMs / 3 : longestPushbackWithoutSvidMs;
  return Math.floor(Math.max(backoffMs, Math.min(pushbackMs * (1 + random() / 10), mostMs)));
}

/** How the waits between attempts grow, within the cap. */
export const retryBackoff = { initialMs: 100, maxMs: 60_000, minMs: 50 } as const;

/** Milliseconds that one attempt may take: a third of what is left, from 1 s to 10 s, so that a silent CA leaves time for more. */
export function decideAttemptMs(now: Date, notAfter: Date | undefined): number {
  const leftMs = notAfter === undefined ? 0 : notAfter.getTime() - now.getTime();
  return leftMs > 0 ? clamp(leftMs / 3, shortestAttemptMs, longestAttemptMs) : longestAttemptMs;
}

/**
 * `instant` as seen by a clock that may be stepped back: each step back moves it as far, so that what was to come in an
 * hour still comes in an hour, give or take the time between two looks. Steps forward, and sleep of the machine, bring it closer.
 */
export function followingBackwardSteps(clock: Clock, instant: Date): () => Date {
  let lastSeen = clock.now().getTime();
  let at = instant.getTime();
  return () => {
    const now = clock.now().getTime();
    if (now < lastSeen) at -= lastSeen - now;
    lastSeen = now;
    return new Date(at);
  };
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value));
}

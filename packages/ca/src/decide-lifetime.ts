import { formatDuration } from "@signet/runtime";
import { CaError } from "./errors.ts";

/** How long certificates live: what a caller gets that does not ask, and the most it may ask for. At least 1000 ms each. */
export type LifetimeLimits = {
  /** Istio's default is 24 hours. */
  readonly defaultTtlMs: number;
  /** Istio's default is 2160 hours (90 days). A default above the maximum is cut to it. */
  readonly maxTtlMs: number;
};

/** What a lifetime is decided from. */
export type LifetimeRequest = {
  /** As the caller sent it, any int64: zero and below mean "the default". */
  readonly requestedSeconds: bigint;
  readonly limits: LifetimeLimits;
  readonly now: Date;
  /** Latest instant the signing CA can vouch for, asked for at this signature and not once at start. */
  readonly notAfterLimit: Date;
};

/** The validity of one certificate; both ends are whole seconds, since DER times are. */
export type Lifetime = { readonly notBefore: Date; readonly notAfter: Date };

/** A certificate is valid from two minutes ago, so that a peer whose clock is behind accepts it at once. */
const allowedClockSkewMs = 120_000;

/**
 * Returns the validity of a certificate issued now: from two minutes ago, until now plus the lifetime asked for, and
 * never past `notAfterLimit`.
 *
 * Both ends are cut to whole seconds, never rounded up.
 * @throws CaError `ttl-too-long` when more than the maximum is asked for, `ca-expired` when the limit has passed
 * @example
 * ```ts
 * import { decideLifetime } from "@signet/ca";
 * const lifetime = decideLifetime({
 *   requestedSeconds: 3600n,
 *   limits: { defaultTtlMs: 86_400_000, maxTtlMs: 7_776_000_000 },
 *   now: new Date("2026-11-01T12:00:00Z"),
 *   notAfterLimit: new Date("2036-11-01T12:00:00Z"),
 * });
 * lifetime.notAfter; // 2026-11-01T13:00:00Z
 * ```
 */
export function decideLifetime(request: LifetimeRequest): Lifetime {
  const now = request.now.getTime();
  const limit = wholeSeconds(request.notAfterLimit.getTime());
  const wanted = wholeSeconds(now + decideTtlMs(request));
  // Written so that an invalid date on either side refuses.
  if (!(limit > now)) throw new CaError("ca-expired", `signing certificate expired at ${formatInstant(limit)}`);
  return { notBefore: new Date(wholeSeconds(now - allowedClockSkewMs)), notAfter: new Date(Math.min(wanted, limit)) };
}

function decideTtlMs({ requestedSeconds, limits }: LifetimeRequest): number {
  if (requestedSeconds <= 0n) return Math.min(limits.defaultTtlMs, limits.maxTtlMs);
  // In bigint up to the comparison: near 2^63 seconds neither nanoseconds in 64 bits nor a double would tell the truth.
  const requestedMs = requestedSeconds * 1000n;
  if (requestedMs > BigInt(Math.floor(limits.maxTtlMs))) {
    throw new CaError(
      "ttl-too-long",
      `requested lifetime ${formatSeconds(requestedSeconds)} exceeds ${formatDuration(limits.maxTtlMs)}`,
    );
  }
  return Number(requestedMs);
}

/** Go notation, exact for every int64. */
function formatSeconds(seconds: bigint): string {
  const ms = Number(seconds) * 1000;
  if (Number.isSafeInteger(ms)) return formatDuration(ms);
  return `${seconds / 3600n}h${(seconds / 60n) % 60n}m${seconds % 60n}s`;
}

function formatInstant(ms: number): string {
  return Number.isNaN(ms) ? "an unknown instant" : new Date(ms).toISOString();
}

function wholeSeconds(ms: number): number {
  return Math.floor(ms / 1000) * 1000;
}

import type { Random } from "@signet/runtime";

/** A token that Vault has accepted, and for how long. */
export type TokenLease = {
  readonly token: string;
  /** Before Vault was asked, so that the end is never thought to be later than it is. */
  readonly obtainedAt: Date;
  /** How long it is valid from `obtainedAt`, in milliseconds; undefined for a token without end. */
  readonly leaseMs: number | undefined;
  /** Whether Vault said that it can be renewed. */
  readonly renewable: boolean;
};

/** A lease in use. */
export type HeldLease = TokenLease & {
  /** How long it was for when the token was new to us. */
  readonly firstLeaseMs: number | undefined;
  /** When to see to it. */
  readonly refreshAt: number;
};

/** Below this share of the first lease, renewal has run into the end of the token's life. */
const shrunkShare = 0.6;
/** A token whose time is nearly up is not asked about more often than this. */
const leastWaitMs = 1000;

/** Returns the lease with the instant at which to see to it: at about half of its time, and within `atMostMs` from now. */
export function holdLease(
  lease: TokenLease,
  firstLeaseMs: number | undefined,
  options: { readonly now: Date; readonly atMostMs: number; readonly random: Random },
): HeldLease {
  const now = options.now.getTime();
  // Fleets that start together must not renew together for ever.
  const share = 0.45 + 0.1 * options.random();
  const halfOver =
    lease.leaseMs === undefined ? Number.POSITIVE_INFINITY : lease.obtainedAt.getTime() + lease.leaseMs * share;
  const refreshAt = Math.min(Math.max(halfOver, now + leastWaitMs), now + options.atMostMs);
  return { ...lease, firstLeaseMs, refreshAt };
}

/** How much longer the token is valid, in milliseconds. */
export function leftMs(lease: TokenLease, now: Date): number {
  if (lease.leaseMs === undefined) return Number.POSITIVE_INFINITY;
  return lease.obtainedAt.getTime() + lease.leaseMs - now.getTime();
}

/** Whether at least half of the lease, give or take the jitter, is over. */
export function isHalfOver(lease: TokenLease, now: Date): boolean {
  return lease.leaseMs !== undefined && leftMs(lease, now) <= lease.leaseMs * 0.56;
}

/** Whether Vault has begun to give less than it did, as it does when the longest life of a token is near. */
export function hasShrunk({ leaseMs, firstLeaseMs }: HeldLease): boolean {
  return leaseMs !== undefined && firstLeaseMs !== undefined && leaseMs < firstLeaseMs * shrunkShare;
}

/** Whether the end is in sight and nothing has been done about it. */
export function isNearEnd(lease: HeldLease, now: Date): boolean {
  return lease.firstLeaseMs !== undefined && leftMs(lease, now) < lease.firstLeaseMs / 4;
}

import { RuntimeError } from "@signet/runtime";
import type { SigningCa } from "../signing-ca.ts";
import type { Canary } from "./canary.ts";

/** What a canary signature may take, in milliseconds. */
export const longestCanaryMs = 5_000;

/** A member elsewhere is read within a moment of the start, in milliseconds; whoever calls before that comes again. */
export const startMs = 4_000;

/** Which two CAs, and how patient to be with them. */
export type FailoverGroupOptions = {
  readonly primary: SigningCa;
  readonly standby: SigningCa;
  readonly canary: Canary;
  /** Between canaries, give or take a fifth, and at least between two switches; default 10 s. */
  readonly intervalMs?: number;
  /** Failures in a row after which the other member signs; default 3. */
  readonly failuresToSwitch?: number;
  /** Good canaries of the primary in a row after which it signs again; default 3. */
  readonly successesToReturn?: number;
  /**
   * For how long a root that came later has to be distributed before a primary under it signs again: peers learn of it
   * with their next certificate. Default 24 hours, as long as certificates live by default.
   */
  readonly settleMs?: number;
};

/** The options with every default filled in, but for the members. */
export type FailoverPatience = Required<Omit<FailoverGroupOptions, "primary" | "standby">>;

/**
 * Fills in the defaults.
 * @throws RuntimeError `argument-invalid`
 */
export function failoverPatience(options: Omit<FailoverGroupOptions, "primary" | "standby">): FailoverPatience {
  const patience = { intervalMs: 10_000, failuresToSwitch: 3, successesToReturn: 3, settleMs: 86_400_000, ...options };
  const { intervalMs, failuresToSwitch, successesToReturn, settleMs } = patience;
  // Written so that NaN is refused.
  if (intervalMs > 0 && failuresToSwitch >= 1 && successesToReturn >= 1 && settleMs >= 0) return patience;
  throw new RuntimeError("argument-invalid", "failover group has an interval or a count that is not above zero");
}

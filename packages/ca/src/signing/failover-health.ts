import type { SigningCa, SigningCaHealth } from "../signing-ca.ts";
import type { FailoverRole } from "./failover-member.ts";

/** How a failover group does. */
export function failoverHealth(group: {
  readonly active: FailoverRole;
  readonly primary: SigningCa;
  readonly primarySigns: boolean;
  readonly standbySigns: boolean;
  /** Whether peers have had the time to learn of the primary's roots. */
  readonly primarySettled: boolean;
}): SigningCaHealth {
  const { active, primary, primarySigns, standbySigns, primarySettled } = group;
  if (!primarySigns && !standbySigns) return { state: "failing", reason: "neither the primary nor the standby signs" };
  if (active === "standby") {
    const waits = primarySigns && !primarySettled;
    return {
      state: "degraded",
      reason: waits ? "the standby signs until the primary's roots are known" : "the standby signs",
    };
  }
  if (!primarySigns) return { state: "degraded", reason: "the primary does not sign" };
  if (!standbySigns) return { state: "degraded", reason: "the standby does not sign" };
  return primary.health?.current() ?? { state: "good" };
}

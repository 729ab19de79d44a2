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
  /** Whether one of them publishes revocation lists and the other does not. */
  readonly listsOfOne: boolean;
}): SigningCaHealth {
  const { active, primary, primarySigns, standbySigns, primarySettled, listsOfOne } = group;
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
  const health: SigningCaHealth = primary.health?.current() ?? { state: "good" };
  // Envoy, once it has lists, refuses chains under a CA that has none.
  return listsOfOne && health.state === "good"
    ? { state: "degraded", reason: "only one of primary and standby has revocation lists" }
    : health;
}

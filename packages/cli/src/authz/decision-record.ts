import type { AuthorizationReason, AuthorizationResult } from "@signet/authorizer";
import type { PolicyName } from "@signet/policy";

/** A decision as `--json` prints it. The names of the fields and the reasons are for programs to rely on. */
export type DecisionRecord = {
  readonly effect: "allow" | "deny";
  /** `namespace/name` of the policy that decided. */
  readonly policy: string | null;
  /** The index of its rule. */
  readonly rule: number | null;
  readonly reason: AuthorizationReason;
  /** `namespace/name` of the AUDIT policies that match, each once. */
  readonly audit: readonly string[];
};

/** Returns a result as it is printed. */
export function recordOf({ effect, policy, rule, reason, audit }: AuthorizationResult): DecisionRecord {
  return {
    effect,
    policy: policy === undefined ? null : nameOf(policy),
    rule: rule ?? null,
    reason,
    audit: [...new Set(audit.map((one) => nameOf(one.policy)))],
  };
}

/** Returns a decision in words. */
export function describeRecord({ effect, policy, rule, reason, audit }: DecisionRecord): string {
  const by = policy === null ? "" : ` by ${rule === null ? "" : `rule ${rule} of `}${policy}`;
  const marked = audit.length === 0 ? "" : `, marked by ${audit.join(", ")}`;
  return `${effect}${by} (${reason})${marked}`;
}

function nameOf({ namespace, name }: PolicyName): string {
  return `${namespace}/${name}`;
}

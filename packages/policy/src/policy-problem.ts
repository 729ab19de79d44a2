import type { DocumentPosition } from "@signet/documents";
import type { PolicyName } from "./decision.ts";

/** Something in a policy that cannot be compiled as it is written, and what was done about it. */
export type PolicyProblem = DocumentPosition & {
  readonly policy: PolicyName;
  /** Absent for the policy as a whole. */
  readonly ruleIndex?: number;
  /** The field or the key of a condition. */
  readonly path: string;
  /** What is wrong, for people. */
  readonly message: string;
  /**
   * What it does: the rule never matches (ALLOW), or the value or condition is left out, so that the rule matches more
   * (DENY, AUDIT, CUSTOM).
   */
  readonly effect: "rule-never-matches" | "value-left-out" | "condition-left-out";
};

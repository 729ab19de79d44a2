import type { DocumentPosition } from "@signet/documents";
import type { Decision, RuleName } from "../decision.ts";
import type { Facts } from "../facts.ts";
import type { Condition } from "./condition.ts";

/** One source or operation of a rule: all of its conditions must hold. */
export type Alternative = { readonly conditions: readonly Condition[]; readonly position: DocumentPosition };

/** One rule, ready to be compared with requests. */
export class CompiledRule {
  readonly name: RuleName;
  readonly position: DocumentPosition;
  /** None are any source. */
  readonly from: readonly Alternative[];
  /** None are any operation. */
  readonly to: readonly Alternative[];
  readonly when: readonly Condition[];
  /** Its place among all rules by id; the smallest that matches is the effective one. Set once, when all are known. */
  rank = 0;
  /** What is decided where this rule decides and there is nothing else to tell; made when it is first wanted. */
  decision: Decision | undefined = undefined;

  constructor(name: RuleName, parts: Pick<CompiledRule, "from" | "to" | "when" | "position">) {
    this.name = name;
    this.position = parts.position;
    this.from = parts.from;
    this.to = parts.to;
    this.when = parts.when;
  }
}

/** Which part of a rule a condition is of. */
export type ConditionPlace =
  | { readonly side: "from" | "to"; readonly alternative: number; readonly condition: Condition }
  | { readonly side: "when"; readonly condition: Condition };

/** Hears of every condition that is looked at, and says whether to go on after one that fails. */
export type RuleTrace = { looked(place: ConditionPlace, holds: boolean): void };

/**
 * Says whether a rule matches a request: one of its sources, one of its operations, and all of its `when`. With a trace the
 * same is done without stopping early, so that what is told is what was decided.
 */
export function matchRule(rule: CompiledRule, facts: Facts, trace?: RuleTrace): boolean {
  let matches = matchSide(rule.to, facts, trace && { side: "to", trace });
  if (!matches && trace === undefined) return false;
  matches = matchSide(rule.from, facts, trace && { side: "from", trace }) && matches;
  if (!matches && trace === undefined) return false;
  for (const condition of rule.when) {
    const holds = condition.holds(facts);
    trace?.looked({ side: "when", condition }, holds);
    if (holds) continue;
    matches = false;
    if (trace === undefined) return false;
  }
  return matches;
}

type SideTrace = { readonly side: "from" | "to"; readonly trace: RuleTrace } | undefined;

function matchSide(alternatives: readonly Alternative[], facts: Facts, traced: SideTrace): boolean {
  if (alternatives.length === 0) return true;
  let matches = false;
  for (let index = 0; index < alternatives.length; index++) {
    const conditions = alternatives[index]?.conditions ?? [];
    if (!matchAll(conditions, facts, traced && { ...traced, alternative: index })) continue;
    matches = true;
    if (traced === undefined) return true;
  }
  return matches;
}

function matchAll(
  conditions: readonly Condition[],
  facts: Facts,
  traced: (SideTrace & { readonly alternative: number }) | undefined,
): boolean {
  let matches = true;
  for (const condition of conditions) {
    const holds = condition.holds(facts);
    if (traced !== undefined) {
      traced.trace.looked({ side: traced.side, alternative: traced.alternative, condition }, holds);
    }
    if (holds) continue;
    matches = false;
    if (traced === undefined) return false;
  }
  return matches;
}

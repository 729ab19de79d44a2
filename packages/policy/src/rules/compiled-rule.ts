import type { DocumentPosition } from "@signet/documents";
import type { Decision, RuleName } from "../decision.ts";
import type { Facts } from "../facts.ts";
import type { Condition } from "./condition.ts";

/** One source or operation of a rule: all of its conditions must hold. */
export type Alternative = { readonly conditions: readonly Condition[]; readonly position: DocumentPosition };

/** One rule, ready to be compared with requests. */
export class CompiledRule {
  readonly name: RuleName;
  /** Whether its action is DENY. */
  readonly denies: boolean;
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

  constructor(name: RuleName, parts: Pick<CompiledRule, "from" | "to" | "when" | "position" | "denies">) {
    this.name = name;
    this.denies = parts.denies;
    this.position = parts.position;
    this.from = parts.from;
    this.to = parts.to;
    this.when = parts.when;
  }
}

/** The conditions of a rule that has one way to match, cheap ones first; undefined where there are several. */
export function onlyConditions({ from, to, when }: CompiledRule): readonly Condition[] | undefined {
  if (from.length > 1 || to.length > 1) return undefined;
  const conditions = [...[...from, ...to].flatMap((alternative) => alternative.conditions), ...when];
  return conditions.sort((one, other) => one.attribute.cost - other.attribute.cost);
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
  if (trace !== undefined) return traceRule(rule, facts, trace);
  return matchSide(rule.to, facts) && matchSide(rule.from, facts) && matchAll(rule.when, facts);
}

function traceRule(rule: CompiledRule, facts: Facts, trace: RuleTrace): boolean {
  const told = (condition: Condition, place: ConditionPlace): boolean => {
    const holds = condition.holds(facts);
    trace.looked(place, holds);
    return holds;
  };
  const side = (name: "from" | "to"): boolean => {
    const met = rule[name].map(({ conditions }, alternative) =>
      conditions.map((condition) => told(condition, { side: name, alternative, condition })).every((holds) => holds),
    );
    return met.length === 0 || met.includes(true);
  };
  const met = [side("from"), side("to"), ...rule.when.map((condition) => told(condition, { side: "when", condition }))];
  return met.every((holds) => holds);
}

function matchSide(alternatives: readonly Alternative[], facts: Facts): boolean {
  for (let index = 0; index < alternatives.length; index++) {
    const alternative = alternatives[index];
    if (alternative !== undefined && matchAll(alternative.conditions, facts)) return true;
  }
  return alternatives.length === 0;
}

/** Says whether all of some conditions hold. */
export function matchAll(conditions: readonly Condition[], facts: Facts): boolean {
  for (let index = 0; index < conditions.length; index++) {
    if (conditions[index]?.holds(facts) === false) return false;
  }
  return true;
}

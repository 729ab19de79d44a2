import type { CompiledRule, ConditionPlace } from "./compiled-rule.ts";

/** A condition that was looked at, and whether it holds. */
export type TracedCondition = { readonly place: ConditionPlace; readonly holds: boolean };

/**
 * Returns, of all conditions of a rule that were looked at, those that it takes to match it: of the source and of the
 * operation of which the fewest fail, and all of its `when`.
 */
export function closestConditions(rule: CompiledRule, traced: readonly TracedCondition[]): readonly TracedCondition[] {
  return [
    ...closestAlternative("from", rule.from.length, traced),
    ...closestAlternative("to", rule.to.length, traced),
    ...traced.filter(({ place }) => place.side === "when"),
  ];
}

function closestAlternative(
  side: "from" | "to",
  count: number,
  traced: readonly TracedCondition[],
): readonly TracedCondition[] {
  const alternatives = Array.from({ length: count }, (): TracedCondition[] => []);
  for (const condition of traced) {
    if (condition.place.side === side) alternatives[condition.place.alternative]?.push(condition);
  }
  const failing = (conditions: readonly TracedCondition[]): number => conditions.filter(({ holds }) => !holds).length;
  return alternatives.reduce((best, next) => (failing(next) < failing(best) ? next : best), alternatives[0] ?? []);
}

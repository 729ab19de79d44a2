import type { AuthorizationAction } from "@signet/documents";
import type { AuthorizationRequest } from "./authorization-request.ts";
import { customProviders, decideFacts, setsFor } from "./decide.ts";
import type { ExplainedCondition, ExplainedRule, Explanation } from "./explanation.ts";
import { Facts } from "./facts.ts";
import { nearestAllow } from "./nearest-allow.ts";
import type { WorkloadPolicies } from "./policies-for.ts";
import { actualValue } from "./rules/actual-value.ts";
import { closestConditions, type TracedCondition } from "./rules/closest-conditions.ts";
import { type CompiledRule, matchRule } from "./rules/compiled-rule.ts";

/** How much is told. */
export type ExplainOptions = {
  /** Default 20. */
  readonly maxRules?: number;
  /** Whether to look for the nearest allow. Default true; it decides up to some hundred requests more. */
  readonly nearestAllow?: boolean;
};

const defaultMaxRules = 20;
const maxExpected = 20;

/**
 * Explains the decision on a request: which rule decided, what each of the others fails by, and what would have to be
 * different. It is the same compiled set, run with a trace, so that it tells what `decide` does. Never throws.
 * @example
 * ```ts
 * import { explain, summarizeExplanation, type WorkloadPolicies } from "@signet/policy";
 * declare const policies: WorkloadPolicies;
 * const explanation = explain(policies, { kind: "tcp", destinationPort: 5432 });
 * summarizeExplanation(explanation); // "denied: no ALLOW policy matched; closest is rule 0 of foo/db, ..."
 * ```
 */
export function explain(
  policies: WorkloadPolicies,
  request: AuthorizationRequest,
  options: ExplainOptions = {},
): Explanation {
  const facts = new Facts(request);
  const decision = decideFacts(policies, facts);
  const rules = tracedRules(policies, facts)
    .map(({ rule, action, dryRun }) =>
      explainRule({ rule, action, dryRun }, { facts, decided: rule.name.id === decision.id }),
    )
    .sort(compareRules);
  const { maxRules = defaultMaxRules, nearestAllow: wantsNearest = true } = options;
  const nearest = wantsNearest && decision.effect === "deny" ? nearestAllow(policies, request) : undefined;
  return {
    decision,
    custom: customProviders(policies, request),
    rules: rules.slice(0, maxRules),
    omitted: Math.max(0, rules.length - maxRules),
    ...(nearest !== undefined && { nearestAllow: { changes: nearest.changes, decision: nearest.decision } }),
  };
}

type Traced = { readonly rule: CompiledRule; readonly action: AuthorizationAction; readonly dryRun: boolean };

function tracedRules(policies: WorkloadPolicies, facts: Facts): readonly Traced[] {
  const { custom, audit, enforced, shadowDeny, shadowAllow } = setsFor(policies, facts);
  const all = (
    set: { readonly rules: readonly CompiledRule[] } | undefined,
    action: AuthorizationAction,
    dryRun: boolean,
  ) => (set?.rules ?? []).map((rule): Traced => ({ rule, action, dryRun }));
  return [
    ...enforced.rules.map((rule): Traced => ({ rule, action: rule.denies ? "DENY" : "ALLOW", dryRun: false })),
    ...all(audit, "AUDIT", false),
    ...custom.flatMap(({ rules }) => all(rules, "CUSTOM", false)),
    ...all(shadowDeny, "DENY", true),
    ...all(shadowAllow, "ALLOW", true),
  ];
}

function explainRule(
  { rule, action, dryRun }: Traced,
  { facts, decided }: { readonly facts: Facts; readonly decided: boolean },
): ExplainedRule {
  const traced: TracedCondition[] = [];
  const matched = matchRule(rule, facts, { looked: (place, holds) => traced.push({ place, holds }) });
  const closest = closestConditions(rule, traced);
  const told = (wanted: boolean): readonly ExplainedCondition[] =>
    closest.filter(({ holds }) => holds === wanted).map((condition) => explainCondition(condition, facts));
  return {
    ...rule.name,
    action,
    dryRun,
    matched,
    decided: decided && !dryRun && matched,
    position: rule.position,
    failed: told(false),
    held: told(true),
  };
}

function explainCondition({ place }: TracedCondition, facts: Facts): ExplainedCondition {
  const { condition } = place;
  const actual = actualValue(condition, facts);
  return {
    place: placeOf(place),
    attribute: condition.attribute.title,
    negated: condition.negated,
    expected: condition.values.slice(0, maxExpected),
    ...(actual !== undefined && { actual }),
  };
}

function placeOf(place: TracedCondition["place"]): string {
  if (place.side === "when") return `when[${place.condition.field}]`;
  const kind = place.side === "from" ? "source" : "operation";
  return `${place.side}[${place.alternative}].${kind}.${place.condition.field}`;
}

function compareRules(one: ExplainedRule, other: ExplainedRule): number {
  return (
    Number(other.decided) - Number(one.decided) ||
    Number(one.dryRun) - Number(other.dryRun) ||
    Number(other.matched) - Number(one.matched) ||
    one.failed.length - other.failed.length
  );
}

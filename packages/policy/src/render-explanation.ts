import type { JsonValue } from "./authorization-request.ts";
import type { PolicyName, RuleName } from "./decision.ts";
import type { AttributeChange, ExplainedCondition, ExplainedRule, Explanation } from "./explanation.ts";

/** Longest value that is shown whole. */
const maxValueLength = 100;
const maxShownValues = 5;

/**
 * Returns an explanation as one sentence: what was decided, by which rule, and for a denial what the closest rule wants or
 * what would have to change.
 * @example
 * ```ts
 * import { explain, summarizeExplanation, type WorkloadPolicies } from "@signet/policy";
 * declare const policies: WorkloadPolicies;
 * console.log(summarizeExplanation(explain(policies, { kind: "tcp", destinationPort: 5432 })));
 * ```
 */
export function summarizeExplanation({ decision, rules, nearestAllow }: Explanation): string {
  const decided = rules.find((rule) => rule.decided);
  const by = decided === undefined ? "" : becauseOf(decided);
  switch (decision.because) {
    case "no-policy":
      return "allowed: no ALLOW policy applies to the workload, and no DENY policy matched";
    case "allow-matched":
      return `allowed by ${decided === undefined ? nameOf(decision.policy) : describeRule(decided)}${by}`;
    case "deny-matched": {
      const denied =
        decided === undefined
          ? `denied: ${nameOf(decision.policy)} could not be read, and never could`
          : `denied by ${describeRule(decided)}${by}`;
      return `${denied}${wouldBeAllowed(nearestAllow?.changes)}`;
    }
    case "no-allow-matched": {
      const closest = rules.find(({ action, dryRun }) => action === "ALLOW" && !dryRun);
      const [first] = closest?.failed ?? [];
      const near =
        closest === undefined || first === undefined
          ? "; no rule of theirs can match"
          : `; closest is ${describeRule(closest)}, ${expectation(first)}`;
      return `denied: no ALLOW policy matched${near}${wouldBeAllowed(nearestAllow?.changes)}`;
    }
    default:
      return decision.because satisfies never;
  }
}

/**
 * Returns an explanation as lines of text: the sentence, then each rule that was looked at with its conditions, those that
 * fail marked, and the nearest allow.
 * @example
 * ```ts
 * import { explain, renderExplanation, type WorkloadPolicies } from "@signet/policy";
 * declare const policies: WorkloadPolicies;
 * for (const line of renderExplanation(explain(policies, { kind: "tcp", destinationPort: 5432 }))) console.log(line);
 * ```
 */
export function renderExplanation(explanation: Explanation): readonly string[] {
  const { custom, rules, omitted, nearestAllow } = explanation;
  const lines = [summarizeExplanation(explanation)];
  for (const { provider, rule } of custom)
    lines.push(`before that, provider ${provider} is asked, because of ${describeRule(rule)}`);
  for (const rule of rules) {
    const what = `${rule.action}${rule.dryRun ? " (dry-run)" : ""} ${describeRule(rule)}`;
    const { file, line } = rule.position;
    lines.push(`${rule.matched ? "✓" : "✗"} ${what}: ${rule.matched ? "matches" : "does not match"} (${file}:${line})`);
    for (const condition of rule.failed) lines.push(`    ✗ ${condition.place}: ${expectation(condition)}`);
    for (const condition of rule.held) lines.push(`    ✓ ${condition.place}: ${satisfied(condition)}`);
  }
  if (omitted > 0) lines.push(`${omitted} more rules`);
  if (nearestAllow !== undefined) {
    lines.push("nearest allow:");
    for (const change of nearestAllow.changes) lines.push(`    ${describeChange(change)}`);
  }
  return lines;
}

function nameOf(policy: PolicyName | undefined): string {
  return policy === undefined ? "a document" : `${policy.namespace}/${policy.name}`;
}

function describeRule({ policy, ruleIndex }: RuleName): string {
  return `rule ${ruleIndex} of ${nameOf(policy)}`;
}

/** What a rule that decided has in the request to go by. */
function becauseOf({ held }: ExplainedRule): string {
  return held.length === 0 ? ", which asks for nothing" : `: ${held.slice(0, 3).map(satisfied).join(", ")}`;
}

function satisfied({ attribute, negated, expected, actual }: ExplainedCondition): string {
  return `${attribute} ${shown(actual)} ${negated ? "is none of" : "is"} ${listOf(expected)}`;
}

function expectation({ attribute, negated, expected, actual }: ExplainedCondition): string {
  return `which wants ${attribute} ${negated ? "to be none of " : ""}${listOf(expected)} and the request has ${shown(actual)}`;
}

function wouldBeAllowed(changes: readonly AttributeChange[] | undefined): string {
  if (changes === undefined || changes.length === 0) return "";
  return `; it would be allowed with ${changes.map(describeGoal).join(" and ")}`;
}

function describeGoal({ attribute, to }: AttributeChange): string {
  return to === undefined ? `no ${attribute}` : `${attribute} ${shown(to)}`;
}

function describeChange({ attribute, from, to }: AttributeChange): string {
  return `${attribute}: ${shown(from)} → ${shown(to)}`;
}

function listOf(values: readonly string[]): string {
  const shownValues = values.slice(0, maxShownValues).map((value) => clip(value));
  const more = values.length > maxShownValues ? ` or ${values.length - maxShownValues} others` : "";
  return `${shownValues.join(" or ")}${more}`;
}

function shown(value: JsonValue | undefined): string {
  if (value === undefined) return "none";
  return clip(typeof value === "string" && /^[\x21-\x7e]+$/.test(value) ? value : JSON.stringify(value));
}

/** Control characters are the terminal's, and never a request's to give. */
function clip(text: string): string {
  const plain = /^[\x20-\x7e]*$/.test(text) ? text : JSON.stringify(text).replace(/[\x7f-\x9f]/g, "?");
  return plain.length > maxValueLength ? `${plain.slice(0, maxValueLength)}…` : plain;
}

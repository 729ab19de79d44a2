import type { Json, JsonMap } from "./envoy-filter.ts";
import { type Matched, unusable } from "./matched.ts";
import type { RuleTerm, RuleTerms } from "./rule-terms.ts";

/** What becomes of a rule for one chain. */
export type RbacRule =
  | { readonly kind: "policy"; readonly policy: JsonMap; readonly dropped: readonly DroppedValue[] }
  /** It has something that cannot be asked there, and leaving that out would let more through. */
  | { readonly kind: "left-out"; readonly dropped: DroppedValue };

/** What a rule asks and Envoy cannot. */
export type DroppedValue = { readonly name: string; readonly why: string };

/** How terms become a policy. */
export type RuleTarget = {
  readonly protocol: "http" | "tcp";
  /** Whether a rule that matches more lets more through. */
  readonly allows: boolean;
};

/** The words for "and", "or" and "not" on each side of a policy. */
const words = {
  permissions: { and: "andRules", or: "orRules", not: "notRule", list: "rules" },
  principals: { and: "andIds", or: "orIds", not: "notId", list: "ids" },
} as const;

/**
 * Returns the Envoy policy of a rule.
 *
 * What cannot be asked (of a TCP connection all that is HTTP, and of either what Envoy would refuse at load) is left out one
 * value at a time, so that a rule that denies matches more, as in Istio; a rule that allows goes as a whole.
 */
export function rbacRule(terms: RuleTerms, target: RuleTarget): RbacRule {
  const dropped: DroppedValue[] = [];
  const permissions = terms.to.map((all) => conjunction("permissions", all, { target, dropped }));
  const principals = terms.from.map((all) => conjunction("principals", all, { target, dropped }));
  const [first] = dropped;
  if (first !== undefined && target.allows) return { kind: "left-out", dropped: first };
  return { kind: "policy", policy: { permissions, principals }, dropped };
}

/** The policy of no rules, which matches nothing. */
export const matchesNothing: JsonMap = {
  permissions: [{ notRule: { any: true } }],
  principals: [{ notId: { any: true } }],
};

type Side = keyof typeof words;
type Progress = { readonly target: RuleTarget; readonly dropped: DroppedValue[] };

function conjunction(side: Side, terms: readonly RuleTerm[], progress: Progress): JsonMap {
  const { and, list } = words[side];
  const all = terms.flatMap((term) => matchersOf(term, progress));
  return { [and]: { [list]: all.length === 0 ? [{ any: true }] : all } };
}

function matchersOf(term: RuleTerm, progress: Progress): readonly JsonMap[] {
  const { not } = words[term.side];
  const positive = disjunction(term, term.values, progress);
  const negative = disjunction(term, term.notValues, progress);
  return [...(positive === undefined ? [] : [positive]), ...(negative === undefined ? [] : [{ [not]: negative }])];
}

function disjunction(term: RuleTerm, values: readonly string[], progress: Progress): JsonMap | undefined {
  if (values.length === 0) return undefined;
  const { or, list } = words[term.side];
  const usable = (matched: Matched): readonly JsonMap[] => {
    if (matched.kind === "matcher") return [matched.matcher];
    progress.dropped.push({ name: term.name, why: matched.why });
    return [];
  };
  if (term.match.kind === "together") {
    const { of } = term.match;
    return usable(reachable(term, values, progress) ?? of(values))[0];
  }
  const { of } = term.match;
  const each: readonly Json[] = values.flatMap((value) => usable(reachable(term, [value], progress) ?? of(value)));
  return each.length === 0 ? undefined : { [or]: { [list]: each } };
}

/** What keeps values from being asked, whatever they are about. */
function reachable(term: RuleTerm, values: readonly string[], { target }: Progress): Matched | undefined {
  if (term.isHttp && target.protocol === "tcp") return unusable("a TCP connection has no such thing");
  if (!values.every((value) => value.isWellFormed())) return unusable("it is no text in UTF-8");
  return undefined;
}

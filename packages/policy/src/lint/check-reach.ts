import { attachesToAll } from "./attachment.ts";
import { type Facet, hasManyValues, type RuleFacets } from "./facet.ts";
import type { LintContext } from "./lint-context.ts";
import { quote, type Report } from "./lint-finding.ts";
import { areDisjoint, covers } from "./value-pattern.ts";

/** A rule as alternatives, each of which is what must hold all at once; those that never hold are left out. */
type Alternatives = { readonly rule: RuleFacets; readonly cases: readonly (readonly Facet[])[] };

/** Most alternatives of a rule that are compared with those of others. */
const maxCases = 256;

/** Most rules of one namespace and action that are compared with each other; beyond, with those of their own policy alone. */
const maxCompared = 20_000;

/** Says which rules never match, or never matter because of others. What cannot be told is not said. */
export function checkReach(context: LintContext, report: Report): void {
  const all: Alternatives[] = [];
  for (const rule of context.rules) {
    const count = Math.max(rule.from.length, 1) * Math.max(rule.to.length, 1);
    if (count > maxCases) continue;
    const cases = casesOf(rule).filter((facets) => contradiction(facets) === undefined);
    if (cases.length === 0) reportNever(rule, report);
    else {
      reportParts(rule, report);
      all.push({ rule, cases });
    }
  }
  const groups = Map.groupBy(
    all,
    ({ rule: { policy } }) => `${policy.dryRun} ${policy.action} ${policy.provider ?? ""}`,
  );
  for (const group of groups.values()) reportShadowed(group, context, report);
  const denying = all.filter(({ rule: { policy } }) => policy.action === "DENY" && !policy.dryRun);
  reportDenied(all, { denying, context, report });
}

function casesOf({ from, to, when }: RuleFacets): readonly (readonly Facet[])[] {
  const sources = from.length > 0 ? from : [[]];
  const operations = to.length > 0 ? to : [[]];
  return sources.flatMap((source) => operations.map((operation) => [...source, ...operation, ...when]));
}

type Contradiction = { readonly one: Facet; readonly other: Facet };

/** Two demands that no request meets both. */
function contradiction(facets: readonly Facet[]): Contradiction | undefined {
  for (const [index, one] of facets.entries()) {
    for (const other of facets.slice(index + 1))
      if (one.attribute === other.attribute && conflict(one, other)) return { one, other };
  }
  return undefined;
}

function conflict(one: Facet, other: Facet): boolean {
  const { attribute } = one;
  if (one.negative && other.negative) return false;
  if (one.negative !== other.negative) {
    const [positive, negative] = one.negative ? [other, one] : [one, other];
    return positive.values.every((value) => negative.values.some((not) => covers(attribute, not, value)));
  }
  if (hasManyValues(attribute)) return false;
  return one.values.every((value) => other.values.every((second) => areDisjoint(attribute, value, second)));
}

function reportNever(rule: RuleFacets, report: Report): void {
  const [first = []] = casesOf(rule);
  const found = contradiction(first);
  const { policy, path } = rule;
  report(
    { document: policy, path, position: rule.rule.position },
    {
      id: "rule-never-matches",
      ...(policy.action === "DENY" || policy.action === "CUSTOM" ? { severity: "error" as const } : {}),
      reason: `no request matches this rule${found === undefined ? "" : `: ${describe(found)}`}`,
      fix: "correct what contradicts itself, or remove the rule",
    },
  );
}

/** Sources and operations that contradict themselves, in rules that match by way of others. */
function reportParts({ policy, from, to }: RuleFacets, report: Report): void {
  for (const facets of [...from, ...to]) {
    const found = contradiction(facets);
    if (found === undefined) continue;
    const { path, position } = found.one;
    report(
      { document: policy, path: path.slice(0, path.lastIndexOf(".")), position },
      {
        id: "rule-never-matches",
        reason: `no request matches this part of the rule: ${describe(found)}`,
        fix: "correct what contradicts itself, or remove it",
      },
    );
  }
}

function describe({ one, other }: Contradiction): string {
  const last = (path: string): string => path.slice(path.lastIndexOf(".") + 1);
  const values = (facet: Facet): string => facet.values.slice(0, 3).map(quote).join(", ");
  return `${one.attribute} cannot be in ${last(one.path)} (${values(one)}) and ${other.negative || one.negative ? "pass" : "be in"} ${last(other.path)} (${values(other)})`;
}

/** Whether whatever meets all demands of `narrow` meets those of `wide`. */
function caseCovers(wide: readonly Facet[], narrow: readonly Facet[]): boolean {
  return wide.every((demand) => narrow.some((given) => given.attribute === demand.attribute && implies(given, demand)));
}

function implies(given: Facet, demand: Facet): boolean {
  const { attribute } = demand;
  if (!demand.negative) {
    if (given.negative) return false;
    return given.values.every((value) => demand.values.some((wanted) => covers(attribute, wanted, value)));
  }
  return demand.values.every((not) =>
    given.negative
      ? given.values.some((other) => covers(attribute, other, not))
      : !hasManyValues(attribute) && given.values.every((value) => areDisjoint(attribute, value, not)),
  );
}

function ruleCovers(wide: Alternatives, narrow: Alternatives): boolean {
  return narrow.cases.every((facets) => wide.cases.some((other) => caseCovers(other, facets)));
}

function reportShadowed(group: readonly Alternatives[], { rootNamespace }: LintContext, report: Report): void {
  const byNamespace = Map.groupBy(group, ({ rule }) => rule.policy.namespace);
  const byPolicy = Map.groupBy(group, ({ rule }) => rule.policy);
  const everyone = byNamespace.get(rootNamespace) ?? [];
  const inRoot = everyone.length > maxCompared ? [] : everyone;
  const placeOf = new Map(group.map((one, place) => [one, place]));
  for (const [place, narrow] of group.entries()) {
    const { policy, path, rule } = narrow.rule;
    const inNamespace = byNamespace.get(policy.namespace) ?? [];
    const others = inNamespace.length > maxCompared ? (byPolicy.get(policy) ?? []) : inNamespace;
    const wider = (policy.namespace === rootNamespace ? others : [...others, ...inRoot]).find((wide) => {
      if (wide === narrow || !mayCover(wide, narrow)) return false;
      if (!attachesToAll(wide.rule.policy, policy, rootNamespace) || !ruleCovers(wide, narrow)) return false;
      // Of two that are alike, the later one is told.
      const isMutual = attachesToAll(policy, wide.rule.policy, rootNamespace) && ruleCovers(narrow, wide);
      return !isMutual || (placeOf.get(wide) ?? 0) < place;
    });
    if (wider === undefined) continue;
    report(
      { document: policy, path, position: rule.position },
      {
        id: "rule-shadowed",
        reason: `whatever matches this rule matches ${nameOf(wider, narrow)} as well, which is of action ${policy.action} too`,
        fix: "remove it, or narrow the other one if that is wider than it was meant to be",
      },
    );
  }
}

/** A quick look: what the one demands the other must speak of. */
function mayCover({ cases: [wide = []] }: Alternatives, { cases: [narrow = []] }: Alternatives): boolean {
  return wide.length === 0 || narrow.length > 0;
}

function nameOf({ rule }: Alternatives, { rule: { policy } }: Alternatives): string {
  const where = rule.policy === policy ? "" : ` of ${rule.policy.namespace}/${rule.policy.name}`;
  return `${rule.path}${where}`;
}

type Denying = {
  readonly denying: readonly Alternatives[];
  readonly context: LintContext;
  readonly report: Report;
};

function reportDenied(all: readonly Alternatives[], { denying, context, report }: Denying): void {
  const { rootNamespace } = context;
  const byNamespace = Map.groupBy(denying, ({ rule }) => rule.policy.namespace);
  for (const narrow of all) {
    const { policy, path, rule } = narrow.rule;
    if (policy.action !== "ALLOW" || policy.dryRun) continue;
    const inReach = new Set([policy.namespace, rootNamespace].flatMap((name) => byNamespace.get(name) ?? []));
    if (inReach.size > maxCompared) continue;
    const wide = [...inReach].filter((other) => attachesToAll(other.rule.policy, policy, rootNamespace));
    const isDenied = narrow.cases.every((facets) =>
      wide.some((other) => other.cases.some((demands) => caseCovers(demands, facets))),
    );
    const [first] = wide.filter((other) =>
      narrow.cases.some((facets) => other.cases.some((one) => caseCovers(one, facets))),
    );
    if (!isDenied || first === undefined) continue;
    report(
      { document: policy, path, position: rule.position },
      {
        id: "rule-denied",
        reason: `whatever this rule would allow is denied, as by ${nameOf(first, narrow)}`,
        fix: "remove it, or take what it is for out of the DENY policy",
      },
    );
  }
}

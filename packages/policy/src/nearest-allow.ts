import type { AttributeEdit } from "./attributes/attribute-edit.ts";
import { mixPrincipals } from "./attributes/principal-edit.ts";
import type { AuthorizationRequest, JsonValue } from "./authorization-request.ts";
import { decideFacts, setsFor } from "./decide.ts";
import type { Decision } from "./decision.ts";
import type { AttributeChange, NearestAllow } from "./explanation.ts";
import { Facts } from "./facts.ts";
import type { WorkloadPolicies } from "./policies-for.ts";
import { actualValue } from "./rules/actual-value.ts";
import { type Alternative, type CompiledRule, matchRule } from "./rules/compiled-rule.ts";
import type { Condition } from "./rules/condition.ts";

/** The nearest allow, and the request that it is about. */
export type FoundAllow = NearestAllow & { readonly request: AuthorizationRequest };

/** How many requests are decided at most. */
const maxDecisions = 300;
/** How many rules are tried from one request on: those that ask for the least. */
const maxRules = 12;
/** How many values are tried for one attribute. */
const maxValues = 200;

/** A request on the way to one that is allowed. */
type State = {
  readonly request: AuthorizationRequest;
  /** By target. */
  readonly changes: ReadonlyMap<string, Change>;
};

type Change = { readonly title: string; readonly from: JsonValue | undefined; readonly to: unknown };

/**
 * Returns a request that is allowed and differs from the given one in as few attributes as were found, or undefined where
 * none was found: a bounded search over values that the policies name. What it returns has been decided and is allowed.
 */
export function nearestAllow(policies: WorkloadPolicies, request: AuthorizationRequest): FoundAllow | undefined {
  const sets = setsFor(policies, new Facts(request));
  if (sets.refused !== undefined) return undefined;
  const open: State[] = [{ request, changes: new Map() }];
  const seen = new Set<string>();
  for (let decided = 0; decided < maxDecisions; decided++) {
    const state = takeCheapest(open);
    if (state === undefined) return undefined;
    const facts = new Facts(state.request);
    const decision = decideFacts(policies, facts);
    if (decision.effect === "allow") {
      return state.changes.size === 0 ? undefined : found(state, decision);
    }
    for (const next of nextStates(policies, state, decision)) {
      const key = JSON.stringify([...next.changes].map(([target, { to }]) => [target, to]).sort());
      if (seen.has(key)) continue;
      seen.add(key);
      open.push(next);
    }
  }
  return undefined;
}

function takeCheapest(open: State[]): State | undefined {
  let best = 0;
  for (let index = 1; index < open.length; index++) {
    if ((open[index]?.changes.size ?? 0) < (open[best]?.changes.size ?? 0)) best = index;
  }
  return open.splice(best, 1)[0];
}

function found({ request, changes }: State, decision: Decision): FoundAllow {
  return {
    request,
    decision,
    changes: [...changes.values()].map(({ title, from, to }): AttributeChange => {
      const json = to === undefined ? undefined : (JSON.parse(JSON.stringify(to)) as JsonValue);
      return { attribute: title, ...(from !== undefined && { from }), ...(json !== undefined && { to: json }) };
    }),
  };
}

/** Requests that no longer are denied for the reason that this one is. */
function nextStates(policies: WorkloadPolicies, state: State, decision: Decision): readonly State[] {
  const facts = new Facts(state.request);
  const { rules } = setsFor(policies, facts).enforced;
  const allowing = rules.filter(({ denies }) => !denies);
  if (decision.because === "deny-matched") {
    const rule = rules.find(({ name, denies }) => denies && name.id === decision.id);
    return rule === undefined ? [] : breakRule(rule, state, wantedBy(allowing, facts));
  }
  return allowing
    .flatMap((rule) => conjunctions(rule, facts))
    .sort((one, other) => one.failing - other.failing)
    .slice(0, maxRules)
    .flatMap(({ conditions }) => satisfy(conditions, state) ?? []);
}

/** One way for a rule to match: one source, one operation and all of its `when`. */
type Conjunction = { readonly conditions: readonly Condition[]; readonly failing: number };

function conjunctions(rule: CompiledRule, facts: Facts): readonly Conjunction[] {
  const from = closest(rule.from, facts);
  const to = closest(rule.to, facts);
  return from.flatMap((source) =>
    to.map((operation): Conjunction => {
      const conditions = [...source, ...operation, ...rule.when];
      return { conditions, failing: new Set(failingTargets(conditions, facts)).size };
    }),
  );
}

/** The alternatives of a side that ask for the least. */
function closest(alternatives: readonly Alternative[], facts: Facts): readonly (readonly Condition[])[] {
  if (alternatives.length === 0) return [[]];
  return alternatives
    .map(({ conditions }) => ({ conditions, failing: failingTargets(conditions, facts).length }))
    .sort((one, other) => one.failing - other.failing)
    .slice(0, 3)
    .map(({ conditions }) => conditions);
}

function failingTargets(conditions: readonly Condition[], facts: Facts): readonly string[] {
  return conditions.filter((condition) => !condition.holds(facts)).map(({ attribute }) => attribute.edit.target);
}

/** The request with all of the conditions true, or undefined where no value was found for one of them. */
function satisfy(conditions: readonly Condition[], state: State): State | undefined {
  let current = state;
  // Request principal and claims overlap, so that mending one may break another; a second round mends that or gives up.
  for (let round = 0; round < 2; round++) {
    const facts = new Facts(current.request);
    const targets = new Set(failingTargets(conditions, facts));
    if (targets.size === 0) return current;
    for (const target of targets) {
      const about = conditions.filter(({ attribute }) => attribute.edit.target === target);
      const next = firstFitting(about, current, valuesFor(about), conditions);
      if (next === undefined) return undefined;
      current = next;
    }
  }
  return failingTargets(conditions, new Facts(current.request)).length === 0 ? current : undefined;
}

/** Values that conditions on one target ask for, and some that are like nothing. */
function valuesFor(conditions: readonly Condition[]): readonly unknown[] {
  const like = conditions
    .filter(({ negated }) => !negated)
    .flatMap(({ attribute, values, context }) => attribute.edit.like(values.slice(0, maxValues), context));
  const unlike = conditions.flatMap(({ attribute }) => attribute.edit.unlike);
  const isPrincipal = conditions.some(({ attribute }) => attribute.edit.target === "peerPrincipal");
  return [...like, ...(isPrincipal ? mixPrincipals([...like, ...unlike]) : []), ...unlike].slice(0, maxValues);
}

function firstFitting(
  about: readonly Condition[],
  state: State,
  values: readonly unknown[],
  all: readonly Condition[],
): State | undefined {
  const [first] = about;
  if (first === undefined) return undefined;
  let fallback: State | undefined;
  for (const value of values) {
    const next = change(state, first, value);
    const facts = new Facts(next.request);
    if (!about.every((condition) => condition.holds(facts))) continue;
    // Best is a value that breaks nothing else.
    if (failingTargets(all, facts).length < failingTargets(all, new Facts(state.request)).length) return next;
    fallback ??= next;
  }
  return fallback;
}

function change(state: State, condition: Condition, value: unknown): State {
  const { edit, title } = condition.attribute;
  const known = state.changes.get(edit.target);
  const from = known === undefined ? actualValue(condition, new Facts(state.request)) : known.from;
  const changes = new Map(state.changes).set(edit.target, { title: known?.title ?? title, from, to: value });
  return { request: edit.apply(state.request, value), changes };
}

/** What ALLOW rules that come close want of each target, so that leaving a DENY rule does not lead away from them. */
function wantedBy(allowing: readonly CompiledRule[], facts: Facts): ReadonlyMap<string, readonly unknown[]> {
  const wanted = new Map<string, unknown[]>();
  const near = allowing
    .flatMap((rule) => conjunctions(rule, facts))
    .sort((one, other) => one.failing - other.failing)
    .slice(0, maxRules);
  for (const { negated, attribute, values, context } of near.flatMap(({ conditions }) => conditions)) {
    if (negated) continue;
    const list = wanted.get(attribute.edit.target) ?? [];
    list.push(...attribute.edit.like(values.slice(0, 4), context));
    wanted.set(attribute.edit.target, list);
  }
  return wanted;
}

/** Requests that a rule that matches this one no longer matches, each by one attribute that is different. */
function breakRule(
  rule: CompiledRule,
  state: State,
  wanted: ReadonlyMap<string, readonly unknown[]>,
): readonly State[] {
  const conditions = [...[...rule.from, ...rule.to].flatMap((alternative) => alternative.conditions), ...rule.when];
  const byTarget = Map.groupBy(conditions, ({ attribute }) => attribute.edit.target);
  return [...byTarget].flatMap(([target, about]) => {
    const edits = new Set(about.map(({ attribute }) => attribute.edit));
    const values = [...(wanted.get(target) ?? []), ...[...edits].flatMap(valuesUnlike(about))].slice(0, maxValues);
    const [first] = about;
    if (first === undefined) return [];
    const states = values
      .map((value) => change(state, first, value))
      .filter(({ request }) => !matchRule(rule, new Facts(request)));
    return states.slice(0, 4);
  });
}

/** To break a negated condition is to have one of its values. */
function valuesUnlike(about: readonly Condition[]): (edit: AttributeEdit) => readonly unknown[] {
  return (edit) => [
    ...edit.unlike,
    ...about
      .filter(({ negated, attribute }) => negated && attribute.edit === edit)
      .flatMap(({ values, context }) => edit.like(values.slice(0, 8), context)),
  ];
}

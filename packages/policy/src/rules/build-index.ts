import { Candidate } from "./candidate.ts";
import { chooseDimensions, type Placement, placementIn } from "./choose-dimensions.ts";
import { type CompiledRule, onlyConditions } from "./compiled-rule.ts";
import type { Condition } from "./condition.ts";
import type { IndexKey } from "./index-key.ts";
import { type Bucket, DimensionIndex, emptyBucket } from "./rule-index.ts";

/** Keys of one condition: a request that the condition matches has one of them. */
export type KeySet = { readonly keys: readonly IndexKey[]; readonly condition: Condition };

/** One side of a rule: a request that the rule matches fulfils one of the alternatives, and so has a key of each of its sets. */
export type Side = readonly (readonly KeySet[])[];

/** A rule on its way into the index. */
export type Entry = {
  readonly rule: CompiledRule;
  /** The sides that it can still be told apart by. */
  readonly sides: readonly Side[];
  /** How many places of the index lead to here for this rule. */
  readonly copies: number;
  /** What remains to be looked at; undefined for the whole rule. */
  readonly conditions: readonly Condition[] | undefined;
};

/** So few rules are compared one by one. */
const fewRules = 4;
/** How many levels there are at most: one for each thing that a rule asks for, and few rules ask for more. */
const maxDepth = 6;

/**
 * Returns the rules by what requests must be like for them to match, so that a request meets few that it does not match. Where
 * many rules share a place they are told apart there by something else again.
 */
export function buildIndex(rules: readonly CompiledRule[]): Bucket {
  const bucket = emptyBucket();
  const entries = rules.map(
    (rule): Entry => ({ rule, sides: sidesOf(rule), copies: 1, conditions: onlyConditions(rule) }),
  );
  fillBucket(bucket, entries, 0);
  return bucket;
}

function sidesOf(rule: CompiledRule): readonly Side[] {
  const sides: Side[] = keySets(rule.when).map((set): Side => [[set]]);
  for (const alternatives of [rule.from, rule.to]) {
    const side = alternatives.map(({ conditions }) => keySets(conditions));
    if (side.length > 0 && side.every((sets) => sets.length > 0)) sides.push(side);
  }
  return sides;
}

function keySets(conditions: readonly Condition[]): readonly KeySet[] {
  return conditions.flatMap((condition) =>
    condition.negated || condition.keys === undefined ? [] : [{ keys: condition.keys, condition }],
  );
}

function fillBucket(bucket: Bucket, entries: readonly Entry[], depth: number): void {
  for (const { rule } of entries) {
    if (rule.denies) bucket.denyRank = Math.min(bucket.denyRank, rule.rank);
    else bucket.otherRank = Math.min(bucket.otherRank, rule.rank);
  }
  if (entries.length <= fewRules || depth === maxDepth) {
    setRules(bucket, entries);
    return;
  }
  const chosen = chooseDimensions(entries, depth === 0);
  const rest: Entry[] = [];
  const placed: { readonly entry: Entry; readonly placement: Placement }[] = [];
  for (const entry of entries) {
    const placement = placementIn(entry, chosen);
    if (placement === undefined) rest.push(entry);
    else placed.push({ entry, placement });
  }
  setRules(bucket, rest);
  const { below, dimensions } = placeAll(placed);
  bucket.dimensions = dimensions;
  for (const [child, children] of below) fillBucket(child, [...children.values()], depth + 1);
}

function setRules(bucket: Bucket, entries: readonly Entry[]): void {
  const candidates = entries
    .map(({ rule, conditions }) => new Candidate(rule, conditions))
    .sort((one, other) => one.rank - other.rank);
  bucket.denying = candidates.filter(({ rule }) => rule.denies);
  bucket.others = candidates.filter(({ rule }) => !rule.denies);
}

type Placed = { readonly entry: Entry; readonly placement: Placement };

/** Puts entries below their keys: which buckets there are now, and what belongs into each. */
function placeAll(placed: readonly Placed[]): {
  readonly dimensions: readonly DimensionIndex[];
  readonly below: ReadonlyMap<Bucket, ReadonlyMap<CompiledRule, Entry>>;
} {
  const keys = placed.flatMap(({ placement }) => placement.sets.flatMap(({ keys: some }) => some));
  const prefixed = new Set(keys.filter(({ form }) => form === "prefix").map(({ dimension }) => dimension.id));
  const dimensions = new Map<string, DimensionIndex>();
  const below = new Map<Bucket, Map<CompiledRule, Entry>>();
  const buckets = new Map<string, Bucket>();
  for (const { entry, placement } of placed) {
    const { side, sets } = placement;
    const others = entry.sides.filter((other) => other !== side);
    const copies = entry.copies * sets.reduce((sum, set) => sum + set.keys.length, 0);
    for (const [index, set] of sets.entries()) {
      const further = (side[index] ?? []).filter((other) => other !== set);
      const sides = further.length === 0 ? others : [...others, [further]];
      for (const key of set.keys) {
        const bucket = buckets.get(key.name) ?? bucketOf(key, dimensions, prefixed);
        buckets.set(key.name, bucket);
        const entries = below.get(bucket) ?? new Map<CompiledRule, Entry>();
        below.set(bucket, entries);
        // By two alternatives at once: which of them it is cannot be told, and so neither can be relied on.
        const twice = entries.has(entry.rule);
        const { rule } = entry;
        entries.set(rule, { rule, sides: twice ? others : sides, copies, conditions: left(entry, set) });
      }
    }
  }
  return { dimensions: [...dimensions.values()], below };
}

/** Conditions that do not follow from having a key of the set. */
function left({ conditions }: Entry, { condition }: KeySet): readonly Condition[] | undefined {
  return condition.keysAreExact ? conditions?.filter((other) => other !== condition) : conditions;
}

function bucketOf(key: IndexKey, dimensions: Map<string, DimensionIndex>, prefixed: ReadonlySet<string>): Bucket {
  const { id } = key.dimension;
  const dimension = dimensions.get(id) ?? new DimensionIndex(key.dimension, { hasPrefixes: prefixed.has(id) });
  dimensions.set(id, dimension);
  return dimension.at(key);
}

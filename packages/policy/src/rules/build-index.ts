import type { CompiledRule } from "./compiled-rule.ts";
import type { Condition } from "./condition.ts";
import { type IndexKey, keyName } from "./index-key.ts";
import { type Bucket, DimensionIndex } from "./rule-index.ts";

/** Keys of one condition: a request that the condition matches has one of them. */
type KeySet = readonly IndexKey[];

/** One side of a rule: a request that the rule matches fulfils one of the alternatives, and so has a key of each of its sets. */
type Side = readonly (readonly KeySet[])[];

/** A rule on its way into the index. */
type Entry = {
  readonly rule: CompiledRule;
  /** The sides that it can still be told apart by. */
  readonly sides: readonly Side[];
  /** How many places of the index lead to here for this rule, or as many as there may come to be. */
  readonly copies: number;
};

/** How a rule is put into a level of the index: by one key set for each alternative of one side. */
type Placement = { readonly side: Side; readonly sets: readonly KeySet[]; readonly chance: number };

/** So few rules are compared one by one. */
const fewRules = 6;
/** How many levels there are at most: one for each thing that a rule asks for, and few rules ask for more. */
const maxDepth = 5;
/** In how many places a rule may be, below the first level. */
const maxCopies = 256;
/** A rule that more requests than this are expected to lead to is not worth a look-up. */
const maxChance = 0.5;

/**
 * Returns the rules by what requests must be like for them to match. Each rule is put where the fewest requests are expected
 * to lead to, judged by how many rules share that place; where many share it they are told apart by something else again.
 */
export function buildIndex(rules: readonly CompiledRule[]): Bucket {
  return buildBucket(
    rules.map((rule) => ({ rule, sides: sidesOf(rule), copies: 1 })),
    0,
  );
}

function sidesOf(rule: CompiledRule): readonly Side[] {
  const sides: Side[] = rule.when.flatMap((condition) => keySets([condition]).map((set): Side => [[set]]));
  for (const alternatives of [rule.from, rule.to]) {
    const side = alternatives.map(({ conditions }) => keySets(conditions));
    if (side.length > 0 && side.every((sets) => sets.length > 0)) sides.push(side);
  }
  return sides;
}

function keySets(conditions: readonly Condition[]): readonly KeySet[] {
  return conditions.flatMap(({ negated, compiled }) => (negated || compiled.keys === undefined ? [] : [compiled.keys]));
}

function buildBucket(entries: readonly Entry[], depth: number): Bucket {
  const bucket: Bucket = { rank: Number.POSITIVE_INFINITY, rules: [], dimensions: [] };
  for (const { rule } of entries) bucket.rank = Math.min(bucket.rank, rule.rank);
  const rest: CompiledRule[] = [];
  if (entries.length <= fewRules || depth === maxDepth) {
    bucket.rules = inOrder(entries.map(({ rule }) => rule));
    return bucket;
  }
  const shares = countShares(entries);
  const places: Places = { dimensions: new Map(), entries: new Map() };
  for (const entry of entries) {
    const placement = bestPlacement(entry, shares, depth);
    if (placement === undefined || placement.chance > maxChance) rest.push(entry.rule);
    else placeEntry(entry, placement, places);
  }
  // Buckets are made empty, so that a key has one, and filled when all of their rules are known.
  for (const [child, below] of places.entries) Object.assign(child, buildBucket([...below.values()], depth + 1));
  bucket.rules = inOrder(rest);
  bucket.dimensions = [...places.dimensions.values()];
  return bucket;
}

function inOrder(rules: readonly CompiledRule[]): readonly CompiledRule[] {
  return [...new Set(rules)].sort((one, other) => one.rank - other.rank);
}

/** The part of the rules that have a key. */
function countShares(entries: readonly Entry[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { sides } of entries) {
    const names = new Set<string>();
    for (const key of sides.flat(3)) names.add(keyName(key));
    for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1 / entries.length);
  }
  return counts;
}

function bestPlacement(
  { sides, copies }: Entry,
  shares: ReadonlyMap<string, number>,
  depth: number,
): Placement | undefined {
  let best: Placement | undefined;
  for (const side of sides) {
    const chosen = side.map((sets) => cheapest(sets, shares));
    const sets = chosen.map(({ set }) => set);
    const places = sets.reduce((sum, set) => sum + set.length, 0);
    if (depth > 0 && places * copies > maxCopies) continue;
    const chance = chosen.reduce((sum, choice) => sum + choice.chance, 0);
    if (best === undefined || chance < best.chance) best = { side, sets, chance };
  }
  return best;
}

function cheapest(sets: readonly KeySet[], shares: ReadonlyMap<string, number>): { set: KeySet; chance: number } {
  let best: { set: KeySet; chance: number } = { set: [], chance: Number.POSITIVE_INFINITY };
  for (const set of sets) {
    const chance = set.reduce((sum, key) => sum + chanceOf(key, shares), 0);
    if (chance < best.chance) best = { set, chance };
  }
  return best;
}

/** How likely a request has a key: as the rules have it, but for what is hardly a key at all. */
function chanceOf(key: IndexKey, shares: ReadonlyMap<string, number>): number {
  if (key.form === "block" && key.block.prefixLength === 0) return 1;
  if (key.form === "prefix" && key.text === "/") return 1;
  return shares.get(keyName(key)) ?? 1;
}

type Places = {
  readonly dimensions: Map<string, DimensionIndex>;
  /** What belongs into each bucket, by rule. */
  readonly entries: Map<Bucket, Map<CompiledRule, Entry>>;
};

function placeEntry(entry: Entry, { side, sets }: Placement, places: Places): void {
  const others = entry.sides.filter((other) => other !== side);
  const copies = entry.copies * sets.reduce((sum, set) => sum + set.length, 0);
  for (const [index, set] of sets.entries()) {
    const left = (side[index] ?? []).filter((other) => other !== set);
    const sides = left.length === 0 ? others : [...others, [left]];
    for (const key of set) {
      const { id } = key.dimension;
      const dimension = places.dimensions.get(id) ?? new DimensionIndex(key.dimension);
      places.dimensions.set(id, dimension);
      const bucket = dimension.at(key, () => ({ rank: 0, rules: [], dimensions: [] }));
      const below = places.entries.get(bucket) ?? new Map<CompiledRule, Entry>();
      places.entries.set(bucket, below);
      // By two alternatives at once: which of them it is cannot be told, and so neither can be relied on.
      below.set(entry.rule, { rule: entry.rule, sides: below.has(entry.rule) ? others : sides, copies });
    }
  }
}

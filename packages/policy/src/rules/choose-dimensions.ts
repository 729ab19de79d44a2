import type { Entry, KeySet, Side } from "./build-index.ts";
import type { IndexKey } from "./index-key.ts";

/** How a rule is put into a level of the index: by one set of keys for each alternative of one side. */
export type Placement = { readonly side: Side; readonly sets: readonly KeySet[] };

/** What a look-up in one dimension costs, beside comparing one rule. */
const lookUpCost = 1;
const ruleCost = 0.4;
/** What a level below costs where rules that share a key are told apart by something else. */
const levelCost = 2;
/** In how many places a rule may be, below the first level. */
const maxCopies = 256;

/** Dimensions that a level of the index looks at, by id. */
export type ChosenDimensions = {
  readonly ids: ReadonlySet<string>;
  readonly shares: ReadonlyMap<string, number>;
  readonly isFirst: boolean;
};

/**
 * Returns the dimensions by which rules are told apart with the least to be done for a request that is like the rules are: one
 * after the other the one that for its cost takes the most rules off those that have to be compared one by one.
 */
export function chooseDimensions(entries: readonly Entry[], isFirst: boolean): ChosenDimensions {
  const shares = countShares(entries);
  const ids = new Set<string>();
  let left = entries;
  for (;;) {
    let best: { readonly id: string; readonly covered: ReadonlySet<Entry>; readonly cost: number } | undefined;
    for (const [id, candidate] of costByDimension(left, { ids, shares, isFirst })) {
      const saved = candidate.covered.size * ruleCost;
      if (saved <= candidate.cost) continue;
      if (best === undefined || candidate.cost / candidate.covered.size < best.cost / best.covered.size)
        best = { id, ...candidate };
    }
    if (best === undefined) return { ids, shares, isFirst };
    ids.add(best.id);
    const { covered } = best;
    left = left.filter((entry) => !covered.has(entry));
  }
}

/** Returns how an entry is put by some dimensions, where fewest requests are expected; undefined where they do not do for it. */
export function placementIn(entry: Entry, chosen: ChosenDimensions): Placement | undefined {
  let best: { readonly placement: Placement; readonly chance: number } | undefined;
  for (const side of entry.sides) {
    const sets: KeySet[] = [];
    let chance = 0;
    for (const alternative of side) {
      const set = likelyLeast(alternative, chosen);
      if (set === undefined) break;
      sets.push(set);
      chance += chanceOf(set, chosen.shares);
    }
    if (sets.length < side.length || isTooMuch(entry, sets, chosen)) continue;
    if (best === undefined || chance < best.chance) best = { placement: { side, sets }, chance };
  }
  return best === undefined || best.chance >= 1 ? undefined : best.placement;
}

function isTooMuch(entry: Entry, sets: readonly KeySet[], { isFirst }: ChosenDimensions): boolean {
  return !isFirst && entry.copies * sets.reduce((sum, set) => sum + set.keys.length, 0) > maxCopies;
}

function likelyLeast(sets: readonly KeySet[], { ids, shares }: ChosenDimensions): KeySet | undefined {
  let best: KeySet | undefined;
  for (const set of sets) {
    if (!ids.has(set.keys[0]?.dimension.id ?? "")) continue;
    if (best === undefined || chanceOf(set, shares) < chanceOf(best, shares)) best = set;
  }
  return best;
}

type Candidate = { readonly covered: Set<Entry>; cost: number };

/** For each dimension not yet chosen, which entries could be placed if it were, and what that would cost a request. */
function costByDimension(entries: readonly Entry[], chosen: ChosenDimensions): ReadonlyMap<string, Candidate> {
  const candidates = new Map<string, Candidate>();
  /** How many entries come to be below each key. */
  const groups = new Map<string, Map<string, number>>();
  const wider = new Map<string, ChosenDimensions>();
  for (const entry of entries) {
    for (const id of dimensionsOf(entry, chosen.ids)) {
      const widened = wider.get(id) ?? { ...chosen, ids: new Set([...chosen.ids, id]) };
      wider.set(id, widened);
      const placement = placementIn(entry, widened);
      if (placement === undefined) continue;
      const candidate = candidates.get(id) ?? { covered: new Set(), cost: lookUpCost };
      candidates.set(id, candidate);
      candidate.covered.add(entry);
      const group = groups.get(id) ?? new Map<string, number>();
      groups.set(id, group);
      for (const { keys } of placement.sets) {
        for (const key of keys) group.set(key.name, (group.get(key.name) ?? 0) + 1);
      }
    }
  }
  for (const [id, group] of groups) {
    const candidate = candidates.get(id);
    if (candidate === undefined) continue;
    for (const [name, count] of group) {
      candidate.cost += (chosen.shares.get(name) ?? 1) * Math.min(count * ruleCost, levelCost);
    }
  }
  return candidates;
}

function dimensionsOf({ sides }: Entry, known: ReadonlySet<string>): ReadonlySet<string> {
  const ids = new Set<string>();
  for (const side of sides) {
    for (const sets of side) {
      for (const { keys } of sets) {
        const id = keys[0]?.dimension.id;
        if (id !== undefined && !known.has(id)) ids.add(id);
      }
    }
  }
  return ids;
}

/** How likely a request has a key: as rules ask for it, but for what hardly is a key at all. */
function countShares(entries: readonly Entry[]): ReadonlyMap<string, number> {
  const shares = new Map<string, number>();
  for (const { sides } of entries) {
    const names = new Set<string>();
    for (const { keys } of sides.flat(2)) for (const key of keys) names.add(key.name);
    for (const name of names) shares.set(name, (shares.get(name) ?? 0) + 1 / entries.length);
  }
  return shares;
}

function chanceOf({ keys }: KeySet, shares: ReadonlyMap<string, number>): number {
  let chance = 0;
  for (const key of keys) chance += isHardlyAKey(key) ? 1 : (shares.get(key.name) ?? 1);
  return chance;
}

function isHardlyAKey(key: IndexKey): boolean {
  return (key.form === "block" && key.block.prefixLength === 0) || (key.form === "prefix" && key.text === "/");
}

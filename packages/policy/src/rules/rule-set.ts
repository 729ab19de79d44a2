import type { Facts } from "../facts.ts";
import { buildIndex } from "./build-index.ts";
import type { CompiledRule } from "./compiled-rule.ts";
import type { Bucket } from "./rule-index.ts";
import { RuleSearch } from "./rule-search.ts";

/** All rules of one action that apply to a workload. */
export class RuleSet {
  /** In order of rank. */
  readonly rules: readonly CompiledRule[];
  readonly #index: Bucket;

  constructor(rules: readonly CompiledRule[]) {
    this.rules = rules.toSorted((one, other) => one.rank - other.rank);
    this.#index = buildIndex(this.rules);
  }

  /** Of the rules that match, the one of smallest rank. */
  first(facts: Facts): CompiledRule | undefined {
    if (this.rules.length === 0) return undefined;
    const search = new RuleSearch(facts);
    search.visit(this.#index);
    return search.best;
  }

  /** All rules that match, in order of rank. */
  all(facts: Facts): readonly CompiledRule[] {
    if (this.rules.length === 0) return [];
    const all = new Set<CompiledRule>();
    new RuleSearch(facts, all).visit(this.#index);
    return [...all].sort((one, other) => one.rank - other.rank);
  }
}

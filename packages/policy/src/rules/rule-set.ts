import type { Facts } from "../facts.ts";
import { buildIndex } from "./build-index.ts";
import type { CompiledRule } from "./compiled-rule.ts";
import type { Bucket } from "./rule-index.ts";
import { RuleSearch } from "./rule-search.ts";

/** Rules that apply to a workload and are looked for together. */
export class RuleSet {
  /** In order of rank. */
  readonly rules: readonly CompiledRule[];
  readonly #index: Bucket;

  constructor(rules: readonly CompiledRule[]) {
    this.rules = rules.toSorted((one, other) => one.rank - other.rank);
    this.#index = buildIndex(this.rules);
  }

  /** Looks for the rules of smallest rank that match: the one that denies, and where there is none the other. */
  search(facts: Facts): RuleSearch {
    const search = new RuleSearch(facts, undefined);
    search.visit(this.#index);
    return search;
  }

  /** Of rules of one action, the one of smallest rank that matches. */
  first(facts: Facts): CompiledRule | undefined {
    const { denying, other } = this.search(facts);
    return denying ?? other;
  }

  /** All rules that match, in order of rank. */
  all(facts: Facts): readonly CompiledRule[] {
    const all = new Set<CompiledRule>();
    new RuleSearch(facts, all).visit(this.#index);
    return [...all].sort((one, other) => one.rank - other.rank);
  }
}

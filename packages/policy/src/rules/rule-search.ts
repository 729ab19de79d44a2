import type { Facts } from "../facts.ts";
import { type CompiledRule, matchRule } from "./compiled-rule.ts";
import type { Bucket } from "./rule-index.ts";

/** Goes through the buckets that a request leads to. */
export class RuleSearch {
  readonly #facts: Facts;
  /** Of all rules met that match, the one of smallest rank. */
  best: CompiledRule | undefined;
  #bestRank = Number.POSITIVE_INFINITY;
  /** Every rule that matches, where all are wanted. */
  readonly #all: Set<CompiledRule> | undefined;

  constructor(facts: Facts, all?: Set<CompiledRule>) {
    this.#facts = facts;
    this.#all = all;
  }

  visit(bucket: Bucket): void {
    if (this.#all !== undefined) this.#collect(bucket.rules, this.#all);
    else if (bucket.rank >= this.#bestRank) return;
    else this.#findFirst(bucket.rules);
    for (const dimension of bucket.dimensions) dimension.visit(this.#facts, this);
  }

  #findFirst(rules: readonly CompiledRule[]): void {
    for (const rule of rules) {
      if (rule.rank >= this.#bestRank) return;
      if (!matchRule(rule, this.#facts)) continue;
      this.best = rule;
      this.#bestRank = rule.rank;
      return;
    }
  }

  #collect(rules: readonly CompiledRule[], all: Set<CompiledRule>): void {
    for (const rule of rules) {
      if (matchRule(rule, this.#facts)) all.add(rule);
    }
  }
}

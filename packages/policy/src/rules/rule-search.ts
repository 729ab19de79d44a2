import type { Facts } from "../facts.ts";
import type { Candidate } from "./candidate.ts";
import type { CompiledRule } from "./compiled-rule.ts";
import type { Bucket } from "./rule-index.ts";

const none = Number.POSITIVE_INFINITY;

/** Goes through the buckets that a request leads to. */
export class RuleSearch {
  readonly #facts: Facts;
  /** Every rule that matches, where all are wanted. */
  readonly #all: Set<CompiledRule> | undefined;
  /** Of the rules met that deny and match, the one of smallest rank. */
  denying: CompiledRule | undefined = undefined;
  /** The same of all other rules; where one denies, it is of no interest and may be any or none. */
  other: CompiledRule | undefined = undefined;
  #denyRank = none;
  #otherRank = none;

  constructor(facts: Facts, all: Set<CompiledRule> | undefined) {
    this.#facts = facts;
    this.#all = all;
  }

  visit(bucket: Bucket): void {
    if (this.#all !== undefined) this.#collect(bucket, this.#all);
    else {
      if (bucket.denyRank >= this.#denyRank && bucket.otherRank >= this.#otherRank) return;
      if (bucket.denying.length > 0) this.#findDenying(bucket.denying);
      if (bucket.others.length > 0) this.#findOther(bucket.others);
    }
    const { dimensions } = bucket;
    for (let index = 0; index < dimensions.length; index++) dimensions[index]?.visit(this.#facts, this);
  }

  #findDenying(candidates: readonly Candidate[]): void {
    for (let index = 0; index < candidates.length; index++) {
      const candidate = candidates[index];
      if (candidate === undefined || candidate.rank >= this.#denyRank) return;
      if (!candidate.matches(this.#facts)) continue;
      this.denying = candidate.rule;
      this.#denyRank = candidate.rank;
      this.#otherRank = -1;
      return;
    }
  }

  #findOther(candidates: readonly Candidate[]): void {
    for (let index = 0; index < candidates.length; index++) {
      const candidate = candidates[index];
      if (candidate === undefined || candidate.rank >= this.#otherRank) return;
      if (!candidate.matches(this.#facts)) continue;
      this.other = candidate.rule;
      this.#otherRank = candidate.rank;
      return;
    }
  }

  #collect({ denying, others }: Bucket, all: Set<CompiledRule>): void {
    for (const candidates of [denying, others]) {
      for (const candidate of candidates) {
        if (candidate.matches(this.#facts)) all.add(candidate.rule);
      }
    }
  }
}

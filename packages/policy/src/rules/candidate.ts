import type { Facts } from "../facts.ts";
import { type CompiledRule, matchAll, matchRule } from "./compiled-rule.ts";
import type { Condition } from "./condition.ts";

/** A rule in one place of the index: what is still to be looked at once a request has come there. */
export class Candidate {
  readonly rule: CompiledRule;
  readonly rank: number;
  /** What the way here does not prove; undefined where the whole rule has to be looked at. */
  readonly #conditions: readonly Condition[] | undefined;

  constructor(rule: CompiledRule, conditions: readonly Condition[] | undefined) {
    this.rule = rule;
    this.rank = rule.rank;
    this.#conditions = conditions;
  }

  matches(facts: Facts): boolean {
    return this.#conditions === undefined ? matchRule(this.rule, facts) : matchAll(this.#conditions, facts);
  }
}

import type { AuthorizationPolicy } from "@signet/documents";
import type { CompileContext } from "./attributes/attribute.ts";
import type { PolicyProblem } from "./policy-problem.ts";
import { compileRules } from "./rules/compile-rule.ts";
import type { CompiledRule } from "./rules/compiled-rule.ts";

/** One policy, with rules for HTTP, and rules for TCP once somebody asks. */
export class CompiledPolicy {
  readonly document: AuthorizationPolicy;
  readonly http: readonly CompiledRule[];
  readonly problems: readonly PolicyProblem[];
  readonly #settings: Pick<CompileContext, "bundle" | "headerMatching">;
  #tcp: readonly CompiledRule[] | undefined;

  constructor(document: AuthorizationPolicy, settings: Pick<CompileContext, "bundle" | "headerMatching">) {
    const compilations = compileRules(document, settings, false);
    this.document = document;
    this.http = compilations.flatMap(({ rule }) => rule ?? []);
    this.problems = compilations.flatMap(({ problems }) => problems);
    this.#settings = settings;
  }

  /** A rule has the rank here that it has for HTTP; what is lost there is lost here too. */
  get tcp(): readonly CompiledRule[] {
    if (this.#tcp !== undefined) return this.#tcp;
    const ranks = new Map(this.http.map(({ name, rank }) => [name.ruleIndex, rank]));
    this.#tcp = compileRules(this.document, this.#settings, true).flatMap(({ rule }) => rule ?? []);
    for (const rule of this.#tcp) rule.rank = ranks.get(rule.name.ruleIndex) ?? 0;
    return this.#tcp;
  }
}

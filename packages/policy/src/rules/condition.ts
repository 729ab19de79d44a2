import type { AuthorizationAction } from "@signet/documents";
import type { Attribute, CompileContext, CompiledValues, ValueTest } from "../attributes/attribute.ts";
import type { Facts } from "../facts.ts";

/** What one field or one `when` asks of a request: one of some values, or none of them. */
export class Condition {
  readonly attribute: Attribute;
  /** As written: `principals`, `notPaths`, or the key of a `when`. */
  readonly field: string;
  /** As written, those left out but for. */
  readonly values: readonly string[];
  readonly negated: boolean;
  readonly keys: CompiledValues["keys"];
  readonly keysAreExact: boolean;
  readonly context: CompileContext;
  readonly #test: ValueTest;
  readonly #onUnknown: boolean;

  constructor(
    written: Pick<Condition, "attribute" | "field" | "values" | "negated">,
    compiled: CompiledValues,
    context: CompileContext,
  ) {
    this.attribute = written.attribute;
    this.field = written.field;
    this.values = written.values;
    this.negated = written.negated;
    this.keys = compiled.keys;
    this.keysAreExact = compiled.keysAreExact === true;
    this.context = context;
    this.#test = compiled.test;
    this.#onUnknown = fallsTowardsDeny(context.action);
  }

  /** Says whether a request meets it. One whose attribute is no such thing falls to the side of denying. */
  holds(facts: Facts): boolean {
    const matches = this.#test(facts);
    return matches === "unknown" ? this.#onUnknown : matches !== this.negated;
  }
}

/** Whether a rule of that action is to match where it cannot be told. */
export function fallsTowardsDeny(action: AuthorizationAction): boolean {
  return action !== "ALLOW";
}

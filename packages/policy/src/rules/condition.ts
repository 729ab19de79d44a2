import type { AuthorizationAction } from "@signet/documents";
import type { Attribute, CompileContext, CompiledValues } from "../attributes/attribute.ts";
import type { Facts } from "../facts.ts";

/** What one field or one `when` asks of a request: one of some values, or none of them. */
export class Condition {
  readonly attribute: Attribute;
  /** As written: `principals`, `notPaths`, or the key of a `when`. */
  readonly field: string;
  /** As written, those left out but for. */
  readonly values: readonly string[];
  readonly negated: boolean;
  readonly compiled: CompiledValues;
  readonly context: CompileContext;

  constructor(
    written: Pick<Condition, "attribute" | "field" | "values" | "negated">,
    compiled: CompiledValues,
    context: CompileContext,
  ) {
    this.attribute = written.attribute;
    this.field = written.field;
    this.values = written.values;
    this.negated = written.negated;
    this.compiled = compiled;
    this.context = context;
  }

  /** Says whether a request meets it. One whose attribute is no such thing falls to the side of denying. */
  holds(facts: Facts): boolean {
    const matches = this.compiled.test(facts);
    return matches === "unknown" ? fallsTowardsDeny(this.context.action) : matches !== this.negated;
  }
}

/** Whether a rule of that action is to match where it cannot be told. */
export function fallsTowardsDeny(action: AuthorizationAction): boolean {
  return action !== "ALLOW";
}

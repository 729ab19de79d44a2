import type { AuthorizationPolicy, AuthorizationRule, DocumentPosition } from "@signet/documents";
import type { Attribute, CompileContext } from "../attributes/attribute.ts";
import { attributeOfKey, type FieldPair, operationFields, sourceFields } from "../attributes/registry.ts";
import type { RuleName } from "../decision.ts";
import type { PolicyProblem } from "../policy-problem.ts";
import { type Alternative, CompiledRule } from "./compiled-rule.ts";
import { Condition, fallsTowardsDeny } from "./condition.ts";

/** A rule and what was found wrong with it; without one that can match where it must never. */
export type RuleCompilation = { readonly rule?: CompiledRule; readonly problems: readonly PolicyProblem[] };

type Compiling = {
  readonly name: RuleName;
  readonly context: CompileContext;
  readonly tcp: boolean;
  readonly problems: PolicyProblem[];
  /** Whether something in it makes an ALLOW rule match nothing. */
  broken: boolean;
};

/**
 * Returns a policy's rules for HTTP or for TCP.
 *
 * What cannot be compiled, and on TCP what only HTTP has, falls to the side of denying: a rule that allows never matches, and
 * one of any other action loses the value or the condition and so matches more.
 */
export function compileRules(
  policy: AuthorizationPolicy,
  settings: Pick<CompileContext, "bundle" | "headerMatching">,
  tcp: boolean,
): readonly RuleCompilation[] {
  const context: CompileContext = { ...settings, action: policy.action, namespace: policy.namespace };
  return policy.rules.map((rule, ruleIndex) => {
    const { namespace, name } = policy;
    const id = `ns[${namespace}]-policy[${name}]-rule[${ruleIndex}]`;
    const compiling: Compiling = {
      name: { policy: { namespace, name }, ruleIndex, id },
      context,
      tcp,
      problems: [],
      broken: false,
    };
    const compiled = compileRule(rule, compiling);
    return compiling.broken ? { problems: compiling.problems } : { rule: compiled, problems: compiling.problems };
  });
}

function compileRule(rule: AuthorizationRule, compiling: Compiling): CompiledRule {
  const from = rule.from.map((source): Alternative => {
    return { conditions: compileFields(source, sourceFields, compiling), position: source.position };
  });
  const to = rule.to.map((operation): Alternative => {
    return { conditions: compileFields(operation, operationFields, compiling), position: operation.position };
  });
  const when = rule.when.flatMap(({ key, values, notValues, position }) => {
    const attribute = attributeOfKey(key);
    if (attribute === undefined) {
      report(compiling, { path: key, message: "is no attribute of a request", position, lost: "condition-left-out" });
      return [];
    }
    const about = { attribute, field: key, position };
    return [
      ...compileCondition({ ...about, values, negated: false }, compiling),
      ...compileCondition({ ...about, values: notValues, negated: true }, compiling),
    ];
  });
  return new CompiledRule(compiling.name, {
    from,
    to,
    when,
    position: rule.position,
    denies: compiling.context.action === "DENY",
  });
}

function compileFields<Field extends string>(
  written: Readonly<Record<Field, readonly string[]>> & { readonly position: DocumentPosition },
  pairs: readonly FieldPair<Field>[],
  compiling: Compiling,
): readonly Condition[] {
  const { position } = written;
  return pairs.flatMap(({ field, notField, attribute }) => [
    ...compileCondition({ attribute, field, values: written[field], negated: false, position }, compiling),
    ...compileCondition({ attribute, field: notField, values: written[notField], negated: true, position }, compiling),
  ]);
}

type Written = {
  readonly attribute: Attribute;
  readonly field: string;
  readonly values: readonly string[];
  readonly negated: boolean;
  readonly position: DocumentPosition;
};

function compileCondition(written: Written, compiling: Compiling): readonly Condition[] {
  const { attribute, field, position } = written;
  if (written.values.length === 0) return [];
  if (compiling.tcp && attribute.httpOnly) {
    // Not a fault: the same document is right for HTTP. Whoever looks for it is told by the linter.
    compiling.broken ||= !fallsTowardsDeny(compiling.context.action);
    return [];
  }
  const values = written.values.filter((value) => {
    const fault = attribute.fault?.(value);
    if (fault === undefined) return true;
    const message = `${JSON.stringify(value.slice(0, 200))} ${fault}`;
    report(compiling, { path: field, message, position, lost: "value-left-out" });
    return false;
  });
  if (values.length === 0) return [];
  const compiled = attribute.compile(values, compiling.context);
  return [new Condition({ ...written, values }, compiled, compiling.context)];
}

type Fault = {
  readonly path: string;
  readonly message: string;
  readonly position: DocumentPosition;
  readonly lost: "value-left-out" | "condition-left-out";
};

function report(compiling: Compiling, { path, message, position, lost }: Fault): void {
  const widens = fallsTowardsDeny(compiling.context.action);
  compiling.broken ||= !widens;
  const { policy, ruleIndex } = compiling.name;
  const effect = widens ? lost : "rule-never-matches";
  compiling.problems.push({ ...position, policy, ruleIndex, path, message, effect });
}

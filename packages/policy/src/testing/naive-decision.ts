import {
  type AuthorizationOperation,
  type AuthorizationPolicy,
  type AuthorizationRule,
  type AuthorizationSource,
  selectDocuments,
  type Workload,
} from "@signet/documents";
import type { AuthorizationRequest } from "../authorization-request.ts";
import type { CompileOptions, PolicyDocuments } from "../compile-policies.ts";
import type { CustomMatch, Decision, RuleName } from "../decision.ts";
import { holdsNaively, holdsWhenNaively, type NaiveContext, naiveOperation, naiveSource } from "./naive-condition.ts";

/** What is to be decided, all of it from the documents each time. */
export type NaiveQuestion = {
  readonly documents: PolicyDocuments;
  readonly options: CompileOptions;
  readonly workload: Workload;
  readonly request: AuthorizationRequest;
};

/**
 * Decides as `decide` does, slowly and obviously: every rule of every policy, its values turned into regular expressions,
 * nothing compiled, indexed or shared with the engine. What the engine is compared with in tests.
 */
export function decideNaively(question: NaiveQuestion): Decision {
  const policies = policiesOf(question);
  const matching = (action: string, dryRun?: boolean): readonly RuleName[] =>
    matchingRules(
      policies.filter((policy) => policy.action === action && (dryRun === undefined || policy.dryRun === dryRun)),
      question,
    );
  const shadow = (action: string): boolean => policies.some((policy) => policy.action === action && policy.dryRun);
  const [shadowAllow] = matching("ALLOW", true);
  const [shadowDeny] = matching("DENY", true);
  const besides = {
    audit: matching("AUDIT"),
    shadow: {
      ...(shadow("ALLOW") && {
        allow: { effect: shadowAllow ? "allow" : "deny", ...(shadowAllow && { rule: shadowAllow }) },
      }),
      ...(shadow("DENY") && {
        deny: { effect: shadowDeny ? "deny" : "allow", ...(shadowDeny && { rule: shadowDeny }) },
      }),
    } as Decision["shadow"],
  };
  const [refused] = selectDocuments(
    question.documents.refused.filter(isPolicy),
    question.workload,
    selectOptions(question),
  );
  if (refused !== undefined) {
    const { namespace, name } = refused;
    const policy = namespace !== undefined && name !== undefined && { policy: { namespace, name } };
    return { effect: "deny", because: "deny-matched", ...policy, ...besides };
  }
  const [deny] = matching("DENY", false);
  if (deny !== undefined) return { effect: "deny", because: "deny-matched", ...deny, ...besides };
  if (!policies.some(({ action, dryRun }) => action === "ALLOW" && !dryRun)) {
    return { effect: "allow", because: "no-policy", ...besides };
  }
  const [allow] = matching("ALLOW", false);
  if (allow !== undefined) return { effect: "allow", because: "allow-matched", ...allow, ...besides };
  return { effect: "deny", because: "no-allow-matched", ...besides };
}

/** What `customProviders` returns, found in the same way. */
export function customProvidersNaively(question: NaiveQuestion): readonly CustomMatch[] {
  const policies = policiesOf(question).filter(({ action }) => action === "CUSTOM");
  const providers = [...new Set(policies.map(({ provider }) => provider ?? ""))].sort(byOctets);
  return providers.flatMap((provider) => {
    const own = policies.filter((policy) => (policy.provider ?? "") === provider);
    const [rule] = matchingRules(own, question);
    return rule === undefined ? [] : [{ provider, rule }];
  });
}

function isPolicy({ kind }: { readonly kind?: string }): boolean {
  return kind === undefined || kind === "AuthorizationPolicy";
}

function selectOptions({ options }: NaiveQuestion): { rootNamespace: string; selectorsReachGateways?: boolean } {
  const { rootNamespace = "istio-system", selectorsReachGateways } = options;
  return { rootNamespace, ...(selectorsReachGateways !== undefined && { selectorsReachGateways }) };
}

function policiesOf(question: NaiveQuestion): readonly AuthorizationPolicy[] {
  const policies = question.documents.documents.filter((document) => document.kind === "AuthorizationPolicy");
  return selectDocuments(policies, question.workload, selectOptions(question));
}

/** Names of the rules that match, in order of id. */
function matchingRules(policies: readonly AuthorizationPolicy[], question: NaiveQuestion): readonly RuleName[] {
  const names = policies.flatMap((policy) =>
    policy.rules.flatMap((rule, ruleIndex): RuleName[] => {
      if (!ruleMatches(rule, policy, question)) return [];
      const { namespace, name } = policy;
      return [{ policy: { namespace, name }, ruleIndex, id: `ns[${namespace}]-policy[${name}]-rule[${ruleIndex}]` }];
    }),
  );
  return names.sort((one, other) => byOctets(one.id, other.id));
}

function byOctets(one: string, other: string): number {
  return Buffer.compare(Buffer.from(one), Buffer.from(other));
}

function ruleMatches(rule: AuthorizationRule, policy: AuthorizationPolicy, question: NaiveQuestion): boolean {
  const { options, request } = question;
  const context: NaiveContext = { policy, options, request };
  const outcomes = [
    any(
      rule.from.map((source: AuthorizationSource) => all(naiveSource(source).map((one) => holdsNaively(one, context)))),
    ),
    any(rule.to.map((to: AuthorizationOperation) => all(naiveOperation(to).map((one) => holdsNaively(one, context))))),
    all(rule.when.map((condition) => holdsWhenNaively(condition, context))),
  ];
  // A condition that cannot be used takes the whole of an ALLOW rule with it, wherever it stands.
  return !outcomes.includes("rule-is-lost") && outcomes.every((outcome) => outcome === true);
}

/** A condition holds, or not; or it is not to be used, and what that means hangs on the action. */
type Outcome = boolean | "rule-is-lost";

function any(outcomes: readonly Outcome[]): Outcome {
  if (outcomes.includes("rule-is-lost")) return "rule-is-lost";
  return outcomes.length === 0 || outcomes.includes(true);
}

function all(outcomes: readonly Outcome[]): Outcome {
  if (outcomes.includes("rule-is-lost")) return "rule-is-lost";
  return !outcomes.includes(false);
}

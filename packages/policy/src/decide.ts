import type { AuthorizationRequest } from "./authorization-request.ts";
import type { CustomMatch, Decision, DecisionReason, RuleName, ShadowResult } from "./decision.ts";
import { Facts } from "./facts.ts";
import type { ActionSets, WorkloadPolicies } from "./policies-for.ts";
import type { CompiledRule } from "./rules/compiled-rule.ts";
import type { RuleSet } from "./rules/rule-set.ts";

/**
 * Decides one request by a workload's policies: AUDIT marks, DENY on any match, allow if there is no ALLOW policy, allow on any
 * match, else deny. Pure and synchronous; never throws.
 *
 * CUSTOM providers and tokens come before: ask `customProviders`, and put the claims of a verified token into the request.
 * @example
 * ```ts
 * import { decide, requestHeaders, type WorkloadPolicies } from "@signet/policy";
 * declare const policies: WorkloadPolicies;
 * const { effect, because, policy, ruleIndex } = decide(policies, {
 *   kind: "http",
 *   method: "GET",
 *   path: "/cart?item=1",
 *   host: "shop.example",
 *   headers: requestHeaders([["x-team", "blue"]]),
 *   peerPrincipal: "spiffe://cluster.local/ns/shop/sa/web",
 *   destinationPort: 8080,
 * });
 * ```
 */
export function decide(policies: WorkloadPolicies, request: AuthorizationRequest): Decision {
  return decideFacts(policies, new Facts(request));
}

/** The same for a request that is looked at more than once. */
export function decideFacts(policies: WorkloadPolicies, facts: Facts): Decision {
  const sets = setsFor(policies, facts);
  const decision = enforce(sets, facts);
  if (sets.audit === undefined && sets.shadowDeny === undefined && sets.shadowAllow === undefined) return decision;
  const allow = shadowAllow(sets.shadowAllow, facts);
  const deny = shadowDeny(sets.shadowDeny, facts);
  return {
    ...decision,
    audit: sets.audit?.all(facts).map(({ name }): RuleName => name) ?? [],
    shadow: { ...(allow !== undefined && { allow }), ...(deny !== undefined && { deny }) },
  };
}

/**
 * Returns the CUSTOM providers that a request must be put to, in the order in which Istio asks them: by the octets of their
 * names. All of them must allow it. A provider of HTTP is none for TCP, which is for the caller to know.
 * @example
 * ```ts
 * import { customProviders, type WorkloadPolicies } from "@signet/policy";
 * declare const policies: WorkloadPolicies;
 * for (const { provider, rule } of customProviders(policies, { kind: "tcp", destinationPort: 5432 })) {
 *   console.log(`${rule.id} wants ${provider} to be asked`);
 * }
 * ```
 */
export function customProviders(policies: WorkloadPolicies, request: AuthorizationRequest): readonly CustomMatch[] {
  const facts = new Facts(request);
  const matches: CustomMatch[] = [];
  for (const { provider, rules } of setsFor(policies, facts).custom) {
    const rule = rules.first(facts);
    if (rule !== undefined) matches.push({ provider, rule: rule.name });
  }
  return matches;
}

/** The sets that count for a request. */
export function setsFor(policies: WorkloadPolicies, { request }: Facts): ActionSets {
  return request.kind === "http" ? policies.http : policies.tcp;
}

const noPolicy: Decision = { effect: "allow", because: "no-policy", audit: [], shadow: {} };
const noAllowMatched: Decision = { effect: "deny", because: "no-allow-matched", audit: [], shadow: {} };

function enforce({ refused, enforced, hasAllow }: ActionSets, facts: Facts): Decision {
  if (refused !== undefined) return refused;
  const { denying, other } = enforced.search(facts);
  if (denying !== undefined) return decisionOf(denying, "deny", "deny-matched");
  if (!hasAllow) return noPolicy;
  return other === undefined ? noAllowMatched : decisionOf(other, "allow", "allow-matched");
}

function decisionOf(rule: CompiledRule, effect: Decision["effect"], because: DecisionReason): Decision {
  const { policy, ruleIndex, id } = rule.name;
  rule.decision ??= { effect, because, policy, ruleIndex, id, audit: [], shadow: {} };
  return rule.decision;
}

function shadowAllow(rules: RuleSet | undefined, facts: Facts): ShadowResult | undefined {
  if (rules === undefined) return undefined;
  const rule = rules.first(facts);
  return rule === undefined ? { effect: "deny" } : { effect: "allow", rule: rule.name };
}

function shadowDeny(rules: RuleSet | undefined, facts: Facts): ShadowResult | undefined {
  if (rules === undefined) return undefined;
  const rule = rules.first(facts);
  return rule === undefined ? { effect: "allow" } : { effect: "deny", rule: rule.name };
}

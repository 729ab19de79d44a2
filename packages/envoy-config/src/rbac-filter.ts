import type { AuthorizationPolicy, AuthorizationRule } from "@signet/documents";
import { type EnvoyFilter, type EnvoyFilters, type JsonMap, withoutDefaults } from "./envoy-filter.ts";
import { filterNames, rbacPolicyId, shadowPrefixes, tcpStatPrefix, typeUrls } from "./names.ts";
import type { PeerIdentity } from "./peer-matcher.ts";
import { matchesNothing, rbacRule } from "./rbac-rule.ts";
import { ruleTerms } from "./rule-terms.ts";

/** What policies are translated for. */
export type RbacOptions = {
  /** Whether they stand among HTTP filters or among network filters. Default "http". */
  readonly protocol?: "http" | "tcp";
  /** The mesh's own trust domain, then its aliases. */
  readonly trustDomains: readonly string[];
  /** Where the peer's SPIFFE ID is from: "filter-state" on HBONE listeners. Default "tls". */
  readonly peerIdentity?: PeerIdentity;
};

/** The action of an Envoy filter; the first is the one that is not written. */
export type RbacAction = "ALLOW" | "DENY" | "LOG";

const actions: readonly (readonly [AuthorizationPolicy["action"], RbacAction])[] = [
  ["AUDIT", "LOG"],
  ["DENY", "DENY"],
  ["ALLOW", "ALLOW"],
];

/**
 * Returns the RBAC filters that istiod makes of the policies that apply to a workload: LOG, DENY and ALLOW, each if there is a
 * policy of it. CUSTOM policies are not looked at; `extAuthzFilters` is for them.
 *
 * Policies with dry-run are shadow rules. Never throws. A rule on a TCP chain, or one with a value that Envoy would refuse, is
 * treated as in Istio: the value is left out of a rule that denies or marks, the whole rule of one that allows, with a warning.
 * @example
 * ```ts
 * import { parseDocuments } from "@signet/documents";
 * import { rbacFilters } from "@signet/envoy-config";
 * const { documents } = parseDocuments("", { file: "policies.yaml" });
 * const policies = documents.flatMap((document) => (document.kind === "AuthorizationPolicy" ? [document] : []));
 * rbacFilters(policies, { trustDomains: ["cluster.local"] }).filters.length; // 0
 * ```
 */
export function rbacFilters(policies: readonly AuthorizationPolicy[], options: RbacOptions): EnvoyFilters {
  const warnings: string[] = [];
  const filters = actions.flatMap(([action, written]) => {
    const ofAction = policies.filter((policy) => policy.action === action);
    if (ofAction.length === 0) return [];
    const set = (dryRun: boolean): JsonMap | undefined => {
      const chosen = ofAction.filter((policy) => policy.dryRun === dryRun);
      if (chosen.length === 0) return undefined;
      return rbacRules(written, rbacPolicies(chosen, { ...options, action: written, idPrefix: "", warnings }));
    };
    const [rules, shadowRules] = [set(false), set(true)];
    const shadowed = shadowRules !== undefined && written !== "ALLOW" ? shadowPrefixes.deny : shadowPrefixes.allow;
    return [rbacFilter({ rules, shadowRules, shadowRulesStatPrefix: shadowed }, options)];
  });
  return { filters, warnings };
}

/** Rules as they stand in a filter. */
export function rbacRules(action: RbacAction, policies: JsonMap): JsonMap {
  const hasPolicies = Object.keys(policies).length > 0;
  return { ...(action !== "ALLOW" && { action }), ...(hasPolicies && { policies }) };
}

/** What an RBAC filter is told. */
export type RbacConfig = {
  readonly rules?: JsonMap | undefined;
  readonly shadowRules?: JsonMap | undefined;
  readonly shadowRulesStatPrefix?: string;
};

/** An RBAC filter, HTTP or network. */
export function rbacFilter(config: RbacConfig, { protocol = "http" }: Pick<RbacOptions, "protocol">): EnvoyFilter {
  const { rules, shadowRules, shadowRulesStatPrefix } = config;
  const isHttp = protocol === "http";
  return {
    name: isHttp ? filterNames.httpRbac : filterNames.networkRbac,
    typedConfig: {
      "@type": isHttp ? typeUrls.httpRbac : typeUrls.networkRbac,
      ...withoutDefaults({ rules, shadowRules, shadowRulesStatPrefix, statPrefix: isHttp ? "" : tcpStatPrefix }),
    },
  };
}

/** How policies become those of a filter. */
export type PoliciesContext = RbacOptions & {
  readonly action: RbacAction;
  /** Stands before every id. */
  readonly idPrefix: string;
  readonly warnings: string[];
};

/** Returns Envoy policies by id, in the order in which Envoy asks them: by the octets of their ids. */
export function rbacPolicies(policies: readonly AuthorizationPolicy[], context: PoliciesContext): JsonMap {
  const byId = new Map<string, JsonMap>();
  const seen = new Map<string, number>();
  const add = (id: string, policy: JsonMap): void => {
    // Two documents of one name are a mistake, and neither may take the other's place.
    const again = seen.get(id) ?? 0;
    seen.set(id, again + 1);
    byId.set(again === 0 ? id : `${id}-again[${again}]`, policy);
  };
  for (const policy of policies) {
    const idOf = (index: number): string => context.idPrefix + rbacPolicyId(policy, index);
    if (policy.rules.length === 0) add(idOf(0), matchesNothing);
    for (const [index, rule] of policy.rules.entries()) {
      const translated = translateRule(policy, { rule, index }, context);
      if (translated !== undefined) add(idOf(index), translated);
    }
  }
  return Object.fromEntries([...byId].sort(([one], [other]) => (one < other ? -1 : 1)));
}

type RuleAt = { readonly rule: AuthorizationRule; readonly index: number };

function translateRule(
  policy: AuthorizationPolicy,
  { rule, index }: RuleAt,
  context: PoliciesContext,
): JsonMap | undefined {
  const { action, protocol = "http", peerIdentity = "tls", trustDomains, warnings } = context;
  const terms = ruleTerms(rule, { namespace: policy.namespace, trustDomains, peerIdentity });
  const translated = rbacRule(terms, { protocol, allows: action === "ALLOW" });
  const where = `rule ${index} of ${policy.action} policy ${policy.namespace}/${policy.name}`;
  switch (translated.kind) {
    case "left-out": {
      const { name, why } = translated.dropped;
      warnings.push(`${where} is left out of the ${protocol} filters: ${name}: ${why}`);
      return undefined;
    }
    case "policy": {
      const told = new Set(translated.dropped.map(({ name, why }) => `${name}: ${why}`));
      if (told.size > 0) warnings.push(`${where} matches more in the ${protocol} filters: ${[...told].join(", ")}`);
      return translated.policy;
    }
  }
}

import type { AuthorizationRequest } from "@signet/policy";
import type { EnvoyFilter, Json } from "../envoy-filter.ts";
import { matchesRule } from "./interpret-rule.ts";
import { entriesOf, fieldsOf, matchesText } from "./interpret-text.ts";

/** What a chain of generated filters makes of a request. */
export type InterpretedFilters = {
  readonly effect: "allow" | "deny";
  /** The effective policy id; absent where no rule matched. */
  readonly id?: string;
  /** Ids of all AUDIT rules that match, in order. */
  readonly audit: readonly string[];
  /** Of rules that are watched and not enforced, each action alone. */
  readonly shadow: { readonly allow?: InterpretedShadow; readonly deny?: InterpretedShadow };
  /** The clusters of the providers that are asked, in order, and the marks that say so. */
  readonly asked: readonly { readonly cluster: string; readonly id: string }[];
};

export type InterpretedShadow = { readonly effect: "allow" | "deny"; readonly id?: string };

/**
 * Returns what Envoy would make of a request by RBAC and ext_authz filters of this package, whose providers allow everything.
 *
 * Written from Envoy's documentation of each field, shares nothing with the translation, and throws for what is never generated.
 */
export function interpretFilters(filters: readonly EnvoyFilter[], request: AuthorizationRequest): InterpretedFilters {
  const state: State = { audit: [], shadow: {}, asked: [], mark: undefined };
  for (const filter of filters) {
    if (filter.name.endsWith(".jwt_authn")) continue;
    if (filter.name.endsWith(".ext_authz")) askProvider(filter, state);
    else interpretRbac(filter, { request, state });
  }
  const { effect = "allow", id, audit, shadow, asked } = state;
  return { effect, ...(id !== undefined && { id }), audit, shadow, asked };
}

type State = {
  effect?: "allow" | "deny";
  id?: string | undefined;
  audit: readonly string[];
  shadow: { allow?: InterpretedShadow; deny?: InterpretedShadow };
  readonly asked: { cluster: string; id: string }[];
  /** Dynamic metadata `istio_ext_authz_shadow_effective_policy_id`; it stays until another rule matches. */
  mark: string | undefined;
};

function interpretRbac(
  { typedConfig }: EnvoyFilter,
  { request, state }: { request: AuthorizationRequest; state: State },
): void {
  const { rules, shadowRules, shadowRulesStatPrefix } = fieldsOf(typedConfig);
  if (shadowRules !== undefined) {
    const [id] = matchingIds(shadowRules, request);
    if (shadowRulesStatPrefix === "istio_ext_authz_") state.mark = id ?? state.mark;
    else {
      const { action = "ALLOW" } = fieldsOf(shadowRules);
      const prefix = action === "DENY" ? "istio_dry_run_deny_" : "istio_dry_run_allow_";
      if (shadowRulesStatPrefix !== prefix) throw new Error(`another prefix is wanted than ${shadowRulesStatPrefix}`);
      const effect = (action === "DENY") === (id === undefined) ? "allow" : "deny";
      state.shadow[action === "DENY" ? "deny" : "allow"] = { effect, ...(id !== undefined && { id }) };
    }
  }
  if (rules !== undefined) enforce(rules, { request, state });
}

function enforce(rules: Json, { request, state }: { request: AuthorizationRequest; state: State }): void {
  const ids = matchingIds(rules, request);
  const [id] = ids;
  switch (fieldsOf(rules).action ?? "ALLOW") {
    case "LOG":
      state.audit = ids;
      return;
    case "DENY":
      if (state.effect !== "deny" && id !== undefined) Object.assign(state, { effect: "deny", id });
      return;
    default:
      if (state.effect !== "deny") Object.assign(state, { effect: id === undefined ? "deny" : "allow", id });
  }
}

/** Ids of the policies that match, in the order of a C++ map: by their octets. */
function matchingIds(rules: Json, request: AuthorizationRequest): readonly string[] {
  const policies = Object.entries(fieldsOf(fieldsOf(rules).policies));
  const matching = policies.filter(([, policy]) => {
    const { permissions, principals } = fieldsOf(policy);
    return [permissions, principals].every((side) => entriesOf(side).some((rule) => matchesRule(rule, request)));
  });
  return matching.map(([id]) => id).sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)));
}

function askProvider({ typedConfig }: EnvoyFilter, state: State): void {
  const { filterEnabledMetadata, grpcService, httpService } = fieldsOf(typedConfig);
  const { stringMatch } = fieldsOf(fieldsOf(filterEnabledMetadata).value);
  if (state.mark === undefined || !matchesText(stringMatch, state.mark)) return;
  const { clusterName } = fieldsOf(fieldsOf(grpcService).envoyGrpc);
  const { cluster } = fieldsOf(fieldsOf(httpService).serverUri);
  state.asked.push({ cluster: String(clusterName ?? cluster), id: state.mark });
}

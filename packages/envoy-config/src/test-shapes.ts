import { type RbacOptions, rbacFilters } from "./rbac-filter.ts";
import { policy } from "./test-policies.ts";

/** The one Envoy policy that a rule in YAML makes. */
export function translated(rule: string, options: Partial<RbacOptions> & { readonly action?: string } = {}): unknown {
  const { action = "ALLOW", ...others } = options;
  const { filters } = rbacFilters([policy(`[${rule}]`, { action })], { trustDomains: ["cluster.local"], ...others });
  return Object(filters[0]?.typedConfig.rules).policies?.["ns[foo]-policy[p]-rule[0]"];
}

/** The shapes that filters are made of, as they are expected. */
export const any: object = { any: true };
export const all = (...rules: readonly unknown[]): object => ({ andRules: { rules } });
export const one = (...rules: readonly unknown[]): object => ({ orRules: { rules } });
export const allIds = (...ids: readonly unknown[]): object => ({ andIds: { ids } });
export const oneId = (...ids: readonly unknown[]): object => ({ orIds: { ids } });
export const regex = (text: string): object => ({ safeRegex: { regex: text } });
export const peer = (principalName: object): object => ({ authenticated: { principalName } });
export const claim = (path: readonly string[], value: object): object => ({
  metadata: { filter: "envoy.filters.http.jwt_authn", path: path.map((key) => ({ key })), value },
});
export const claimIs = (path: readonly string[], value: object): object =>
  claim(path, { orMatch: { valueMatchers: [{ listMatch: { oneOf: value } }, value] } });

import type { AuthorizationPolicy, ExtensionProvider } from "@signet/documents";
import { type EnvoyFilter, type EnvoyFilters, type Json, type JsonMap, withoutDefaults } from "./envoy-filter.ts";
import { filterNames, outboundCluster, shadowPrefixes, tcpStatPrefix, typeUrls } from "./names.ts";
import { type RbacOptions, rbacFilter, rbacPolicies, rbacRules } from "./rbac-filter.ts";
import { statusName } from "./status-name.ts";

/** What CUSTOM policies are translated for. */
export type ExtAuthzOptions = RbacOptions & {
  /** Of the mesh config. */
  readonly extensionProviders: readonly ExtensionProvider[];
  /**
   * Whether several providers of one workload are each asked, as with istiod's `PILOT_ENABLE_MULTIPLE_CUSTOM_AUTHZ_PROVIDERS`;
   * else all that any of them would have been asked about is denied. Default false.
   */
  readonly severalProviders?: boolean;
};

const idPrefix = "istio-ext-authz";
const badSuffix = "-deny-due-to-bad-CUSTOM-action";
const effectivePolicyKey = `${shadowPrefixes.extAuthz}shadow_effective_policy_id`;

/**
 * Returns the filters that istiod makes of the CUSTOM policies that apply to a workload, by provider in the order of the octets
 * of their names: an RBAC filter that marks what the provider is to be asked about, and an ext_authz filter that asks.
 *
 * What a provider that there is not, or an invalid one, would have been asked about is denied, with a warning. One of HTTP is
 * never asked about TCP. Policies of other actions are not looked at. Never throws.
 * @example
 * ```ts
 * import { parseMeshConfig } from "@signet/documents";
 * import { extAuthzFilters } from "@signet/envoy-config";
 * const parsed = parseMeshConfig("extensionProviders: []\n", { file: "mesh.yaml" });
 * const { extensionProviders } = parsed.kind === "mesh-config" ? parsed.meshConfig : { extensionProviders: [] };
 * extAuthzFilters([], { extensionProviders, trustDomains: ["cluster.local"] }).filters.length; // 0
 * ```
 */
export function extAuthzFilters(policies: readonly AuthorizationPolicy[], options: ExtAuthzOptions): EnvoyFilters {
  const warnings: string[] = [];
  const custom = policies.filter(({ action }) => action === "CUSTOM");
  const byProvider = Map.groupBy(custom, ({ provider = "" }) => provider);
  // Names are ASCII, so that code units are octets.
  const names = [...byProvider.keys()].sort();
  const tooMany = names.length > 1 && options.severalProviders !== true;
  if (tooMany) {
    const listed = names.map((name) => JSON.stringify(name)).join(", ");
    warnings.push(`whatever CUSTOM policies match will be denied: there is more than one provider: ${listed}`);
  }
  const filters = names.flatMap((name) => {
    const context = { ...options, action: "DENY", idPrefix: idPrefixOf(name), warnings } as const;
    const rules = rbacPolicies(byProvider.get(name) ?? [], context);
    const provider = tooMany ? undefined : usableProvider(name, options.extensionProviders, warnings);
    if (provider === undefined) return [denyFilter(rules, options)];
    return pair({ provider, rules, prefix: triggerOf(name, names) }, options);
  });
  return { filters, warnings };
}

function idPrefixOf(provider: string): string {
  return provider === "" ? `${idPrefix}-` : `${idPrefix}-${provider}-`;
}

/**
 * What the ids begin with that a provider is asked about. As istiod has it; but where another provider's ids would begin so too,
 * which its own must not trigger, up to where they differ.
 */
function triggerOf(name: string, names: readonly string[]): string {
  const prefix = `${idPrefix}-${name}`;
  const isOfOthers = names.some((other) => other !== name && `${idPrefixOf(other)}ns[`.startsWith(prefix));
  return isOfOthers ? `${prefix}-ns[` : prefix;
}

type UsableProvider = Exclude<ExtensionProvider, { kind: "invalid" }>;

function usableProvider(
  name: string,
  providers: readonly ExtensionProvider[],
  warnings: string[],
): UsableProvider | undefined {
  const [found, second] = providers.filter((provider) => provider.name === name);
  if (found !== undefined && found.kind !== "invalid" && second === undefined) return found;
  const why =
    found === undefined
      ? "the mesh config has no such extension provider"
      : found.kind === "invalid"
        ? found.problems.map(({ path, message }) => `${path} ${message}`).join("; ")
        : "the mesh config has it twice";
  warnings.push(`whatever CUSTOM policies of provider ${JSON.stringify(name)} match will be denied: ${why}`);
  return undefined;
}

function denyFilter(rules: JsonMap, options: ExtAuthzOptions): EnvoyFilter {
  const named = Object.entries(rules).map(([id, policy]): [string, Json] => [id + badSuffix, policy]);
  return rbacFilter({ rules: rbacRules("DENY", Object.fromEntries(named)) }, options);
}

type Pair = { readonly provider: UsableProvider; readonly rules: JsonMap; readonly prefix: string };

function pair({ provider, rules, prefix }: Pair, options: ExtAuthzOptions): readonly EnvoyFilter[] {
  const isTcp = options.protocol === "tcp";
  if (isTcp && provider.kind === "http") return [];
  const marks = rbacFilter(
    { shadowRules: rbacRules("DENY", rules), shadowRulesStatPrefix: shadowPrefixes.extAuthz },
    options,
  );
  const filterEnabledMetadata = {
    filter: marks.name,
    path: [{ key: effectivePolicyKey }],
    value: { stringMatch: { prefix } },
  };
  return [
    marks,
    isTcp ? networkExtAuthz(provider, filterEnabledMetadata) : httpExtAuthz(provider, filterEnabledMetadata),
  ];
}

function networkExtAuthz(provider: UsableProvider, filterEnabledMetadata: JsonMap): EnvoyFilter {
  const config = withoutDefaults({
    statPrefix: tcpStatPrefix,
    grpcService: grpcService(provider),
    failureModeAllow: provider.failOpen,
    transportApiVersion: "V3",
    filterEnabledMetadata,
  });
  return { name: filterNames.networkExtAuthz, typedConfig: { "@type": typeUrls.networkExtAuthz, ...config } };
}

function httpExtAuthz(provider: UsableProvider, filterEnabledMetadata: JsonMap): EnvoyFilter {
  const { body, statusOnError } = provider;
  const config = withoutDefaults({
    ...(provider.kind === "grpc" ? { grpcService: grpcService(provider) } : { httpService: httpService(provider) }),
    transportApiVersion: "V3",
    failureModeAllow: provider.failOpen,
    withRequestBody: body && withoutDefaults({ ...body }),
    statusOnError: statusOnError === undefined ? undefined : { code: statusName(statusOnError) },
    filterEnabledMetadata,
    allowedHeaders: provider.kind === "http" ? headerPatterns(provider.includeRequestHeadersInCheck) : undefined,
  });
  return { name: filterNames.httpExtAuthz, typedConfig: { "@type": typeUrls.httpExtAuthz, ...config } };
}

function grpcService({ service, port, timeoutMs }: UsableProvider): JsonMap {
  const envoyGrpc = { clusterName: outboundCluster(service.host, port), authority: service.host };
  return { envoyGrpc, timeout: `${timeoutMs / 1000}s` };
}

function httpService(provider: Extract<UsableProvider, { kind: "http" }>): JsonMap {
  const { service, port, timeoutMs, pathPrefix } = provider;
  const headersToAdd = [...provider.includeAdditionalHeadersInCheck]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([key, value]) => withoutDefaults({ key, value }));
  const authorizationResponse = withoutDefaults({
    allowedUpstreamHeaders: headerPatterns(provider.headersToUpstreamOnAllow),
    allowedClientHeaders: headerPatterns(provider.headersToDownstreamOnDeny),
    allowedClientHeadersOnSuccess: headerPatterns(provider.headersToDownstreamOnAllow),
  });
  const cluster = outboundCluster(service.host, port);
  return withoutDefaults({
    serverUri: { uri: `http://${service.host}`, cluster, timeout: `${timeoutMs / 1000}s` },
    pathPrefix,
    authorizationRequest: headersToAdd.length > 0 ? { headersToAdd } : undefined,
    authorizationResponse: Object.keys(authorizationResponse).length > 0 ? authorizationResponse : undefined,
  });
}

function headerPatterns(names: readonly string[]): JsonMap | undefined {
  if (names.length === 0) return undefined;
  return { patterns: names.map((name) => ({ ...headerPattern(name), ignoreCase: true })) };
}

function headerPattern(name: string): JsonMap {
  if (name.startsWith("*")) return { suffix: name.slice(1) };
  return name.endsWith("*") ? { prefix: name.slice(0, -1) } : { exact: name };
}

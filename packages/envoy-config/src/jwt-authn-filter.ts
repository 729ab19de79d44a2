import type { JwtRule } from "@signet/documents";
import { compileJwtRules } from "@signet/request-auth";
import { type EnvoyFilter, type EnvoyFilters, type Json, type JsonMap, withoutDefaults } from "./envoy-filter.ts";
import { failClosedJwks } from "./fail-closed-jwks.ts";
import { usableJwks } from "./local-jwks.ts";
import { filterNames, jwtPayloadKey, outboundCluster, typeUrls } from "./names.ts";

/** How rules become providers. */
export type JwtAuthnOptions = {
  /** Whether a route is chosen anew after claims are known: istiod does so on gateways, not beside workloads. Default false. */
  readonly clearRouteCache?: boolean;
  /** The JWKS of a rule that has none in itself, where the caller has fetched one. */
  readonly jwksOf?: (rule: JwtRule) => string | undefined;
  /**
   * Who fetches keys that neither a rule nor `jwksOf` has: "envoy" by the rule's `jwksUri`, from cluster `outbound|<port>||<host>`,
   * which must be there; or "nobody", so that all tokens of the rule are refused. Default "envoy".
   */
  readonly jwksFetchedBy?: "nobody" | "envoy";
};

/**
 * Returns the `jwt_authn` filter that istiod makes of all JWT rules that apply to a workload, or no filter for no rules.
 *
 * Providers are `origins-0`, `origins-1` and so on in the order of `compileJwtRules`, by issuer. Never throws: a rule without a
 * key that can be used, and without a place to fetch one from, gets a JWKS that accepts no token, and a warning.
 * @example
 * ```ts
 * import { parseDocuments } from "@signet/documents";
 * import { jwtAuthnFilter } from "@signet/envoy-config";
 * const { documents } = parseDocuments("", { file: "rules.yaml" });
 * const rules = documents.flatMap((document) => (document.kind === "RequestAuthentication" ? document.jwtRules : []));
 * jwtAuthnFilter(rules).filters.length; // 0
 * ```
 */
export function jwtAuthnFilter(rules: readonly JwtRule[], options: JwtAuthnOptions = {}): EnvoyFilters {
  const sorted = compileJwtRules(rules).rules;
  if (sorted.length === 0) return { filters: [], warnings: [] };
  const warnings: string[] = [];
  const named = sorted.map((rule, index) => ({ name: `origins-${index}`, rule }));
  const providers = named.map(({ name, rule }): [string, Json] => [name, provider(rule, options, warnings)]);
  const filter: EnvoyFilter = {
    name: filterNames.jwtAuthn,
    typedConfig: {
      "@type": typeUrls.jwtAuthn,
      providers: Object.fromEntries(providers),
      rules: [{ match: { prefix: "/" }, requires: requirement(named.map(({ name }) => name)) }],
      bypassCorsPreflight: true,
    },
  };
  return { filters: [filter], warnings };
}

/** A token that any provider accepts, or at the place of every provider a token that it accepts or none. */
function requirement(names: readonly string[]): JsonMap {
  const each = names.map((providerName) => anyOf([{ providerName }, { allowMissing: {} }]));
  const [only] = each;
  if (only !== undefined && each.length === 1) return only;
  return anyOf([...names.map((providerName) => ({ providerName })), { requiresAll: { requirements: each } }]);
}

function anyOf(requirements: readonly JsonMap[]): JsonMap {
  return { requiresAny: { requirements } };
}

const alwaysSpaceDelimited = ["permission", "scope"];

function provider(rule: JwtRule, options: JwtAuthnOptions, warnings: string[]): JsonMap {
  const claims = [...new Set([...rule.spaceDelimitedClaims, ...alwaysSpaceDelimited])].sort(compareOctets);
  return withoutDefaults({
    issuer: rule.issuer,
    audiences: rule.audiences,
    ...keySource(rule, options, warnings),
    forward: rule.forwardOriginalToken,
    ...places(rule),
    forwardPayloadHeader: rule.outputPayloadToHeader,
    payloadInMetadata: jwtPayloadKey,
    normalizePayloadInMetadata: { spaceDelimitedClaims: claims },
    clearRouteCache: options.clearRouteCache === true,
    claimToHeaders: rule.outputClaimToHeaders.map(({ header, claim }) => ({ headerName: header, claimName: claim })),
  });
}

/** Envoy refuses these in names of headers and in what stands before a token; no request can carry them there. */
const neverInHeaders = /[\0\r\n]/;

/** No cookie is called so, since its name ends before the first such sign. */
const cookieOfNobody = "=";

function places(rule: JwtRule): Readonly<Record<string, Json>> {
  const { fromHeaders, fromParams, fromCookies } = rule;
  const headers = fromHeaders
    .filter(({ name, prefix }) => name !== "" && !neverInHeaders.test(name + prefix))
    .map(({ name, prefix }) => withoutDefaults({ name, valuePrefix: prefix }));
  // A provider that looks nowhere would look at the default places instead.
  const lookNowhere = fromHeaders.length > 0 && headers.length + fromParams.length + fromCookies.length === 0;
  return { fromHeaders: headers, fromParams, fromCookies: lookNowhere ? [cookieOfNobody] : fromCookies };
}

function keySource(rule: JwtRule, options: JwtAuthnOptions, warnings: string[]): Readonly<Record<string, Json>> {
  const written = rule.jwks ?? options.jwksOf?.(rule);
  if (written === undefined && options.jwksFetchedBy !== "nobody" && rule.jwksUri !== undefined) {
    return { remoteJwks: remoteJwks(rule.jwksUri, { rule, warnings }) };
  }
  const inlineString = written === undefined ? undefined : usableJwks(rule, written);
  if (inlineString === undefined) {
    const why = written === undefined ? "no keys are given for it" : "its JWKS has no key that can be used";
    warnings.push(`every token of issuer ${JSON.stringify(rule.issuer)} will be refused: ${why}`);
  }
  return { localJwks: { inlineString: inlineString ?? failClosedJwks } };
}

const cacheSeconds = 300;
/** Envoy reads no longer timeout. */
const maxTimeoutMs = 4_294_967_295_000;

type Remote = { readonly rule: JwtRule; readonly warnings: string[] };

function remoteJwks(uri: string, { rule: { issuer, timeoutMs }, warnings }: Remote): JsonMap {
  const { hostname, port, protocol } = new URL(uri);
  const host = hostname.replace(/^\[(.*)\]$/, "$1");
  const cluster = outboundCluster(host, port === "" ? (protocol === "http:" ? 80 : 443) : Number(port));
  warnings.push(`keys of issuer ${JSON.stringify(issuer)} are fetched from cluster ${cluster}, which Envoy must have`);
  return {
    httpUri: { uri, cluster, timeout: `${Math.min(timeoutMs, maxTimeoutMs) / 1000}s` },
    cacheDuration: `${cacheSeconds}s`,
  };
}

function compareOctets(one: string, other: string): number {
  return Buffer.compare(Buffer.from(one, "utf8"), Buffer.from(other, "utf8"));
}

import type { JwtRule } from "@signet/documents";
import type { Clock } from "@signet/runtime";
import type { CompiledJwtRules } from "./compile-jwt-rules.ts";
import { bodyOf, type Refusal, type RequestAuthErrorCode, refused, statusOf } from "./errors.ts";
import type { Pending, RuleContext } from "./evaluate-token.ts";
import { type Candidate, evaluateTokens, readTokens, type TokenVerdict } from "./evaluate-tokens.ts";
import { extractTokens, type HeaderValues, indexHeaders, type RequestToAuthenticate } from "./extract-token.ts";
import type { HeaderChanges } from "./forward-claims.ts";
import type { JsonObject } from "./json-object.ts";
import { removeParam } from "./request-values.ts";
import type { KeysOf } from "./rule-keys.ts";
import type { VerifiedToken } from "./verified-token.ts";
import { wwwAuthenticate } from "./www-authenticate.ts";

/** Who a request is from, or why it must not go on. */
export type RequestAuthenticationResult =
  /** No token anywhere a rule looks. Whether that is enough is for policies to say. */
  | { readonly kind: "anonymous"; readonly upstream: HeaderChanges }
  | {
      readonly kind: "authenticated";
      /** `<iss>/<sub>`; absent when the token lacks one of them, and then no policy may take it for anyone. */
      readonly principal?: string;
      /** As in the token. To be read only: frozen, as is `payload`, once requests with the same token share them. */
      readonly claims: JsonObject;
      /** As policies see them: space-delimited claims are lists. */
      readonly payload: JsonObject;
      /** Of all tokens, by issuer; with the option `publishAllPayloads` alone. */
      readonly payloads?: ReadonlyMap<string, JsonObject>;
      readonly rule: JwtRule;
      readonly upstream: HeaderChanges;
    }
  | {
      readonly kind: "rejected";
      readonly code: RequestAuthErrorCode;
      readonly status: 401 | 403;
      /** A fixed sentence for each code. */
      readonly body: string;
      /** The value of the header of that name (RFC 6750 section 3). */
      readonly wwwAuthenticate?: string;
      /** The rule that refused, where it was one of them. */
      readonly rule?: JwtRule;
    };

/** What `authenticateRequest` needs from outside. */
export type RequestAuthDependencies = { readonly keysOf: KeysOf; readonly clock: Pick<Clock, "now"> };

/**
 * Says who a request is from by the rules that apply, as Envoy's `jwt_authn` does with the configuration that istiod makes of them.
 *
 * The first rule, by issuer, that accepts all tokens at its places wins, and its claims alone are published. Without any token
 * the request is anonymous; with tokens that no rule accepts it is rejected. Headers that rules write are always taken off
 * the request first, so that no client can send them. A CORS preflight carries no credentials and is anonymous.
 * Rejects only with the reason of `signal`; keys that cannot be had refuse.
 * @example
 * ```ts
 * import { authenticateRequest, type CompiledJwtRules, type KeysOf } from "@signet/request-auth";
 * import { systemClock } from "@signet/runtime";
 * async function principalOf(rules: CompiledJwtRules, keysOf: KeysOf, token: string): Promise<string | undefined> {
 *   const result = await authenticateRequest(
 *     rules,
 *     { method: "GET", scheme: "https", host: "shop.example", path: "/cart", headers: [["authorization", `Bearer ${token}`]] },
 *     { keysOf, clock: systemClock },
 *     AbortSignal.timeout(5000),
 *   );
 *   return result.kind === "authenticated" ? result.principal : undefined;
 * }
 * ```
 */
export async function authenticateRequest(
  rules: CompiledJwtRules,
  request: RequestToAuthenticate,
  dependencies: RequestAuthDependencies,
  signal: AbortSignal,
): Promise<RequestAuthenticationResult> {
  return await authenticateRequestNow(rules, request, dependencies, signal);
}

/**
 * As `authenticateRequest`, and without a promise where all keys are at hand, as they are but for the first request and those with
 * an unknown key id.
 * @example
 * ```ts
 * import { authenticateRequestNow, compileJwtRules } from "@signet/request-auth";
 * import { systemClock } from "@signet/runtime";
 * const request = { method: "GET", scheme: "https", host: "shop.example", path: "/cart", headers: [] };
 * const keysOf = () => ({ kind: "unavailable", detail: "there are no rules here" }) as const;
 * const result = authenticateRequestNow(compileJwtRules([]), request, { keysOf, clock: systemClock }, AbortSignal.timeout(5000));
 * const known = result instanceof Promise ? await result : result;
 * known.kind; // "anonymous"
 * ```
 */
export function authenticateRequestNow(
  rules: CompiledJwtRules,
  request: RequestToAuthenticate,
  { keysOf, clock }: RequestAuthDependencies,
  signal: AbortSignal,
): RequestAuthenticationResult | Promise<RequestAuthenticationResult> {
  const asked: AskedRequest = { rules, request, headers: indexHeaders(request.headers, rules.readHeaders) };
  if (isPreflight(request.method, asked.headers)) return anonymous(asked);
  const found = extractTokens(rules, { path: request.path, headers: asked.headers });
  if (found.length === 0) {
    return rules.options.require === true ? rejected(asked, refused("token-missing")) : anonymous(asked);
  }
  const context = { rules, nowSeconds: Math.floor(clock.now().getTime() / 1000), keysOf, signal };
  const candidates = readTokens(rules, found);
  const verdict = evaluateTokens(context, candidates);
  if (verdict.kind !== "pending") return concluded(asked, verdict);
  return evaluateLater(context, candidates, verdict).then((later) => concluded(asked, later));
}

/** A request, and its headers as far as they are read. */
type AskedRequest = {
  readonly rules: CompiledJwtRules;
  readonly request: RequestToAuthenticate;
  readonly headers: HeaderValues;
};

/** Asks again whenever keys have come; each time there is one pair of token and rule less that waits. */
async function evaluateLater(
  context: RuleContext,
  candidates: readonly Candidate[],
  first: Pending,
): Promise<TokenVerdict> {
  let verdict: TokenVerdict | Pending = first;
  while (verdict.kind === "pending") {
    await verdict.ready;
    verdict = evaluateTokens(context, candidates);
  }
  return verdict;
}

function concluded(asked: AskedRequest, verdict: TokenVerdict): RequestAuthenticationResult {
  return verdict.kind === "accepted" ? authenticated(asked, verdict) : rejected(asked, verdict);
}

function anonymous(asked: AskedRequest): RequestAuthenticationResult {
  return { kind: "anonymous", upstream: { remove: spoofedHeaders(asked), add: [] } };
}

/** Headers that rules write, and that the client has sent. */
function spoofedHeaders({ rules, headers }: AskedRequest): readonly string[] {
  return rules.outputHeaders.size === 0 ? [] : [...headers.keys()].filter((name) => rules.outputHeaders.has(name));
}

type Rejected = Extract<RequestAuthenticationResult, { kind: "rejected" }>;

function rejected({ request, headers }: AskedRequest, { code, rule }: Refusal): Rejected {
  return {
    kind: "rejected",
    code,
    status: statusOf(code),
    body: bodyOf[code],
    wwwAuthenticate: wwwAuthenticate(request, headers, code),
    ...(rule === undefined ? {} : { rule }),
  };
}

/** Node and browsers alike know no preflight without these two (Fetch standard, section "CORS-preflight fetch"). */
function isPreflight(method: string, headers: HeaderValues): boolean {
  if (method !== "OPTIONS") return false;
  return Boolean(headers.get("origin")?.[0]) && Boolean(headers.get("access-control-request-method")?.[0]);
}

type Accepted = Extract<TokenVerdict, { kind: "accepted" }>;

function authenticated(asked: AskedRequest, verdict: Accepted): RequestAuthenticationResult {
  const { principal, facts, payload, rule } = verdict.tokens[0];
  const all = asked.rules.options.publishAllPayloads === true ? { payloads: payloadsOf(verdict.tokens) } : {};
  const { claims } = facts;
  const upstream = upstreamChanges(asked, verdict);
  return principal === undefined
    ? { kind: "authenticated", claims, payload, rule: rule.rule, upstream, ...all }
    : { kind: "authenticated", principal, claims, payload, rule: rule.rule, upstream, ...all };
}

function payloadsOf(tokens: readonly VerifiedToken[]): ReadonlyMap<string, JsonObject> {
  const payloads = new Map<string, JsonObject>();
  for (const { facts, payload } of tokens) {
    if (!payloads.has(facts.issuer)) payloads.set(facts.issuer, payload);
  }
  return payloads;
}

function upstreamChanges(asked: AskedRequest, { tokens, stripped }: Accepted): HeaderChanges {
  if (stripped.length === 0) return { remove: spoofedHeaders(asked), add: addedHeaders(asked, tokens) };
  const { path } = asked.request;
  const remove = new Set(spoofedHeaders(asked));
  let shortened = path;
  for (const { kind, name } of stripped) {
    if (kind === "header") remove.add(name);
    else shortened = removeParam(shortened, name);
  }
  const changes = { remove: [...remove], add: addedHeaders(asked, tokens) };
  return shortened === path ? changes : { ...changes, path: shortened };
}

function addedHeaders({ rules }: AskedRequest, tokens: Accepted["tokens"]): HeaderChanges["add"] {
  const [first, second] = tokens;
  if (second === undefined) return first.headers;
  // Envoy goes from the last token to the first.
  if (rules.options.publishAllPayloads !== true) return tokens.toReversed().flatMap(({ headers }) => headers);
  // What two tokens would write is the word of the one that says who the request is from.
  const written = new Map<string, readonly (readonly [string, string])[]>();
  for (const { headers } of tokens) {
    for (const [name, own] of Map.groupBy(headers, ([header]) => header)) {
      if (!written.has(name)) written.set(name, own);
    }
  }
  return [...written.values()].flat();
}

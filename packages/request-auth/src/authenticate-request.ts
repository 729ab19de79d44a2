import type { JwtRule } from "@signet/documents";
import type { Clock } from "@signet/runtime";
import type { CompiledJwtRules } from "./compile-jwt-rules.ts";
import { bodyOf, type Refusal, type RequestAuthErrorCode, refused, statusOf } from "./errors.ts";
import { evaluateTokens, type TokenVerdict } from "./evaluate-tokens.ts";
import { extractTokens, type HeaderValues, indexHeaders, type RequestToAuthenticate } from "./extract-token.ts";
import { type HeaderChanges, headersOf } from "./forward-claims.ts";
import type { JsonObject } from "./json-object.ts";
import { publishedClaims } from "./published-claims.ts";
import { requestPrincipal } from "./request-principal.ts";
import { removeParam } from "./request-values.ts";
import type { KeysOf } from "./rule-keys.ts";
import { wwwAuthenticate } from "./www-authenticate.ts";

/** Who a request is from, or why it must not go on. */
export type RequestAuthenticationResult =
  /** No token anywhere a rule looks. Whether that is enough is for policies to say. */
  | { readonly kind: "anonymous"; readonly upstream: HeaderChanges }
  | {
      readonly kind: "authenticated";
      /** `<iss>/<sub>`; absent when the token lacks one of them, and then no policy may take it for anyone. */
      readonly principal?: string;
      /** As in the token. */
      readonly claims: JsonObject;
      /** As policies see them: space-delimited claims are lists. */
      readonly payload: JsonObject;
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
  const headers = indexHeaders(request.headers);
  const spoofed = [...headers.keys()].filter((name) => rules.outputHeaders.has(name));
  const anonymous = { kind: "anonymous", upstream: { remove: spoofed, add: [] } } as const;
  if (isPreflight(request.method, headers)) return anonymous;
  const tokens = extractTokens(rules, { path: request.path, headers });
  if (tokens.length === 0) {
    return rules.options.require === true ? rejected(refused("token-missing"), request, headers) : anonymous;
  }
  const verdict = await evaluateTokens(rules, { tokens, dependencies }, signal);
  if (verdict.kind === "accepted") {
    const upstream = upstreamChanges(rules, verdict, { spoofed, path: request.path });
    return { ...authenticated(rules, verdict), upstream };
  }
  return rejected(verdict, request, headers);
}

type Rejected = Extract<RequestAuthenticationResult, { kind: "rejected" }>;

function rejected({ code, rule }: Refusal, request: RequestToAuthenticate, headers: HeaderValues): Rejected {
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
type Authenticated = Extract<RequestAuthenticationResult, { kind: "authenticated" }>;

function authenticated({ compiled }: CompiledJwtRules, { rule, tokens }: Accepted): Omit<Authenticated, "upstream"> {
  // Envoy goes from the last token to the first, and the one it has verified last is the one that it publishes.
  const [token] = tokens;
  const principal = requestPrincipal(token.issuer, token.subject);
  const publication = compiled.get(rule)?.publication;
  return {
    kind: "authenticated",
    ...(principal === undefined ? {} : { principal }),
    claims: token.claims,
    payload: publication === undefined ? token.claims : publishedClaims(token.claims, publication),
    rule,
  };
}

function upstreamChanges(
  { compiled }: CompiledJwtRules,
  { rule, tokens, stripped }: Accepted,
  { spoofed, path }: { readonly spoofed: readonly string[]; readonly path: string },
): HeaderChanges {
  const names = (wanted: "header" | "param"): readonly string[] =>
    stripped.flatMap(({ kind, name }) => (kind === wanted ? [name] : []));
  const output = compiled.get(rule)?.output;
  const shortened = names("param").reduce(removeParam, path);
  return {
    remove: [...new Set([...spoofed, ...names("header")])],
    add: output === undefined ? [] : tokens.toReversed().flatMap((token) => headersOf(output, token)),
    ...(shortened === path ? {} : { path: shortened }),
  };
}

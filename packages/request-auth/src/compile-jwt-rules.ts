import type { JwtRule } from "@signet/documents";
import { JwtError, parseJwks } from "@signet/jwt";
import { acceptedAlgorithms } from "./algorithms.ts";
import { normalizeAudience } from "./check-claims.ts";
import { parseClaimPath } from "./claim-path.ts";
import type { OutputHeaders } from "./forward-claims.ts";
import { createKnownHeaders, type KnownHeaders } from "./known-headers.ts";
import type { RequestAuthOptions } from "./options.ts";
import type { RequestAuthProfile } from "./profile.ts";
import type { Publication } from "./published-claims.ts";
import { type RuleKey, readRuleKeys, ruleKeyOf } from "./rule-key.ts";
import { compareOctets, indexLocations, outputHeadersOf, type TokenLocations } from "./token-location.ts";
import { createTokenMemory, defaultRememberedTokens, type TokenMemory } from "./token-memory.ts";

/** All that is known about a rule before any request. */
export type CompiledJwtRule = {
  readonly rule: JwtRule;
  /** Where it stands among all: rules are asked in this order. */
  readonly rank: number;
  /** Without what stands around the name in a URL; none accepts any. */
  readonly audiences: ReadonlySet<string>;
  /** The keys of a JWKS in the rule itself: imported once, empty when none can be used. Absent for a rule without one. */
  readonly keys?: readonly RuleKey[];
  readonly publication: Publication;
  readonly output: OutputHeaders;
};

/** Rules ready for requests; made by `compileJwtRules` alone, and never changed. */
export type CompiledJwtRules = {
  readonly profile: RequestAuthProfile;
  readonly options: RequestAuthOptions;
  /** By issuer, in the order in which istiod hands them to Envoy; two rules of one issuer in the order they were given in. */
  readonly rules: readonly JwtRule[];
  readonly compiled: ReadonlyMap<JwtRule, CompiledJwtRule>;
  readonly algorithms: ReadonlySet<string>;
  readonly locations: TokenLocations;
  /** In lower case: removed from every request before anything is read from it. */
  readonly outputHeaders: ReadonlySet<string>;
  /** In lower case: all that is read of a request's headers. */
  readonly readHeaders: ReadonlySet<string>;
  /** Tokens that these rules have verified, unless none are to be remembered. */
  readonly memory: TokenMemory | undefined;
  readonly headers: KnownHeaders;
};

const alwaysReadHeaders = ["cookie", "origin", "access-control-request-method", "x-envoy-original-path"];

/** Claims that Istio always publishes as lists of words. */
const alwaysSpaceDelimited = ["scope", "permission"];

/**
 * Returns the rules of all RequestAuthentications that apply to a workload, ready for `authenticateRequest`.
 *
 * Never throws: a `jwks` that cannot be used leaves its rule without keys, and then refuses every token of its issuer. In profile
 * "strict" a JWKS is read by `@signet/jwt`: no symmetric keys, RSA from 2048 bits, `use` and `key_ops` honoured.
 * @example
 * ```ts
 * import type { JwtRule } from "@signet/documents";
 * import { compileJwtRules } from "@signet/request-auth";
 * const rule: JwtRule = {
 *   issuer: "https://issuer.example",
 *   audiences: [],
 *   jwks: '{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}',
 *   fromHeaders: [],
 *   fromParams: [],
 *   fromCookies: [],
 *   forwardOriginalToken: false,
 *   outputClaimToHeaders: [{ header: "x-user", claim: "sub" }],
 *   timeoutMs: 5000,
 *   spaceDelimitedClaims: [],
 *   position: { file: "rules.yaml", line: 1, column: 1 },
 * };
 * compileJwtRules([rule], { profile: "strict" }).outputHeaders.has("x-user"); // true
 * ```
 */
export function compileJwtRules(rules: readonly JwtRule[], options: RequestAuthOptions = {}): CompiledJwtRules {
  const { profile = "istio", maxRememberedTokens = defaultRememberedTokens } = options;
  const algorithms = acceptedAlgorithms(profile, options.algorithms);
  const sorted = rules.toSorted((a, b) => compareOctets(a.issuer, b.issuer));
  const compiled = sorted.map((rule, rank) => compileRule(rule, rank, { ...options, profile, accepted: algorithms }));
  const locations = indexLocations(compiled);
  const outputHeaders = new Set(sorted.flatMap(outputHeadersOf));
  return Object.freeze({
    profile,
    options: Object.freeze({ ...options }),
    rules: Object.freeze(sorted),
    compiled: new Map(compiled.map((one) => [one.rule, one])),
    algorithms,
    locations: Object.freeze(locations),
    outputHeaders,
    readHeaders: new Set([...alwaysReadHeaders, ...locations.headers.keys(), ...outputHeaders]),
    memory: createTokenMemory(maxRememberedTokens),
    headers: createKnownHeaders(),
  });
}

type RuleOptions = RequestAuthOptions & {
  readonly profile: RequestAuthProfile;
  readonly accepted: ReadonlySet<string>;
};

function compileRule(rule: JwtRule, rank: number, options: RuleOptions): CompiledJwtRule {
  const { bracketedClaims = false, typedClaims = false } = options;
  return Object.freeze({
    rule,
    rank,
    audiences: new Set(rule.audiences.map(normalizeAudience)),
    publication: {
      spaceDelimited: [...new Set([...alwaysSpaceDelimited, ...rule.spaceDelimitedClaims])],
      typed: typedClaims,
    },
    output: {
      ...(rule.outputPayloadToHeader ? { payload: rule.outputPayloadToHeader.toLowerCase() } : {}),
      claims: rule.outputClaimToHeaders.map(({ header, claim }) => ({
        header: header.toLowerCase(),
        path: parseClaimPath(claim, bracketedClaims),
      })),
    },
    ...(rule.jwks === undefined ? {} : { keys: readKeys(rule.jwks, options) }),
  });
}

function readKeys(jwks: string, { profile, accepted }: RuleOptions): readonly RuleKey[] {
  const keys = profile === "istio" ? readRuleKeys(jwks) : strictKeys(jwks);
  // A key that may verify no token is none, so that a set of such keys counts as one without any.
  return keys.filter(({ algorithms }) => !algorithms.isDisjointFrom(accepted));
}

function strictKeys(jwks: string): readonly RuleKey[] {
  try {
    return parseJwks(jwks).keys.map(ruleKeyOf);
  } catch (error) {
    if (!(error instanceof JwtError)) throw error;
    return [];
  }
}

import type { JwtRule } from "@signet/documents";
import type { JwksSource, KeyLookup, VerificationKey } from "@signet/jwt";
import { type RuleKey, ruleKeyOf } from "./rule-key.ts";

/** What there is to verify a rule's tokens with. */
export type RuleKeysOutcome =
  /** Those that may have signed such a token; none refuses it. */
  | { readonly kind: "keys"; readonly keys: readonly RuleKey[] }
  /** They cannot be had now: every token of the rule is refused. */
  | { readonly kind: "unavailable"; readonly detail: string };

/** Finds the keys of a rule that has none in itself, at once where they are at hand. Rejects only with the reason of `signal`. */
export type KeysOf = (
  rule: JwtRule,
  header: { readonly kid?: string; readonly alg: string },
  signal: AbortSignal,
) => RuleKeysOutcome | Promise<RuleKeysOutcome>;

/**
 * Returns the `keysOf` of `authenticateRequest` for rules whose keys are fetched, over one `JwksSource` each.
 *
 * A rule without a source is as one whose issuer cannot be reached. The sources are stricter than Envoy: no symmetric keys, RSA
 * from 2048 bits, `use` and `key_ops` honoured, algorithm bound to curve, and a `kid` must be a key's unless no key has one.
 * @example
 * ```ts
 * import type { JwtRule } from "@signet/documents";
 * import { createJwksSource } from "@signet/jwt";
 * import { keysFromSources } from "@signet/request-auth";
 * import { systemClock } from "@signet/runtime";
 * const keys = createJwksSource({ issuer: "https://issuer.example" }, { clock: systemClock, random: Math.random });
 * const keysOf = keysFromSources((rule: JwtRule) => (rule.issuer === keys.issuer ? keys : undefined));
 * ```
 */
export function keysFromSources(sourceOf: (rule: JwtRule) => JwksSource | undefined): KeysOf {
  // A key of a source becomes a rule's key once, not once a request.
  const known = new WeakMap<VerificationKey, RuleKey>();
  const keyOf = (key: VerificationKey): RuleKey => {
    const ruleKey = known.get(key) ?? ruleKeyOf(key);
    known.set(key, ruleKey);
    return ruleKey;
  };
  return (rule, header, signal) => {
    const source = sourceOf(rule);
    if (source === undefined) return { kind: "unavailable", detail: "the rule has no source of keys" };
    const lookup = source.findNow?.(header);
    if (lookup !== undefined) return outcomeOf(lookup, keyOf);
    return source.find(header, signal).then((found) => outcomeOf(found, keyOf));
  };
}

function outcomeOf(lookup: KeyLookup, keyOf: (key: VerificationKey) => RuleKey): RuleKeysOutcome {
  switch (lookup.kind) {
    case "found":
      return { kind: "keys", keys: lookup.keys.map(keyOf) };
    case "rejected":
      return { kind: "keys", keys: [] };
    case "unavailable":
      return { kind: "unavailable", detail: lookup.detail };
  }
}

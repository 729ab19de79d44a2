import type { JwtRule } from "@signet/documents";
import { compileJwtRules, type RuleKey } from "@signet/request-auth";

/** What Envoy verifies tokens with; `@signet/request-auth` knows more. */
const envoyAlgorithms: readonly string[] = [
  ...["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
  ...["ES256", "ES384", "ES512", "EdDSA", "HS256", "HS384", "HS512"],
];

/** Members of a key that only its owner needs (RFC 7518 sections 6.2.2 and 6.3.2, RFC 8037 section 2). */
const privateMembers: ReadonlySet<string> = new Set(["d", "p", "q", "dp", "dq", "qi", "oth"]);

/**
 * Returns a JWKS in which Envoy finds at least one key, with the private members of its keys left out; undefined for a text with
 * no key that can be used, for which Envoy would refuse the whole listener.
 */
export function usableJwks(rule: JwtRule, jwks: string): string | undefined {
  const withKeys = { ...rule, jwks };
  const keys = compileJwtRules([withKeys], { maxRememberedTokens: 0 }).compiled.get(withKeys)?.keys ?? [];
  return keys.some(isForEnvoy) ? withoutPrivateMembers(jwks) : undefined;
}

function isForEnvoy({ onlyAlgorithm, algorithms }: RuleKey): boolean {
  return envoyAlgorithms.some((name) => algorithms.has(name) && (onlyAlgorithm === "" || onlyAlgorithm === name));
}

/** As written where there is nothing to hide. A symmetric key stays, since without it there would be nothing to verify with. */
function withoutPrivateMembers(jwks: string): string {
  let holdsPrivateMembers = false;
  const read: unknown = JSON.parse(jwks, function (this: unknown, name, value: unknown) {
    if (!privateMembers.has(name) || !isPrivateKey(this)) return value;
    holdsPrivateMembers = true;
    return undefined;
  });
  return holdsPrivateMembers ? JSON.stringify(read) : jwks;
}

function isPrivateKey(holder: unknown): boolean {
  return typeof holder === "object" && holder !== null && "kty" in holder && holder.kty !== "oct";
}

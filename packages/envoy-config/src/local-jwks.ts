import type { JwtRule } from "@signet/documents";
import { compileJwtRules } from "@signet/request-auth";

/** Members of a key that only its owner needs (RFC 7518 sections 6.2.2 and 6.3.2, RFC 8037 section 2). */
const privateMembers: ReadonlySet<string> = new Set(["d", "p", "q", "dp", "dq", "qi", "oth"]);

/**
 * Returns a JWKS in which Envoy finds at least one key, with the private members of its keys left out; undefined for a text with
 * no key that can be used, for which Envoy would refuse the whole listener.
 */
export function usableJwks(rule: JwtRule, jwks: string): string | undefined {
  const withKeys = { ...rule, jwks };
  const keys = compileJwtRules([withKeys]).compiled.get(withKeys)?.keys ?? [];
  return keys.length === 0 ? undefined : withoutPrivateMembers(jwks);
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

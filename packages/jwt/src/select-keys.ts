import { isJwtAlgorithm } from "./algorithms.ts";
import { quote } from "./errors.ts";
import type { KeyLookup } from "./issuer.ts";
import type { VerificationKey } from "./verification-key.ts";

/**
 * The keys of a set that may have signed a token with this header.
 *
 * A `kid` must match exactly; a token without one may be signed by any key that fits its `alg`, and so may every token where no
 * key of the set has an id. Beside keys with ids, one without is found by tokens without one only, so that an unknown id is
 * still seen to be unknown.
 */
export function selectKeys(
  keys: readonly VerificationKey[],
  header: { readonly kid?: string; readonly alg: string },
): KeyLookup {
  const { kid, alg } = header;
  const hasIds = keys.length === 0 || keys.some((key) => key.kid !== undefined);
  const isByName = kid !== undefined && hasIds;
  const named = isByName ? keys.filter((key) => key.kid === kid) : keys;
  if (isByName && named.length === 0) {
    return { kind: "rejected", code: "key-not-found", detail: `key id ${quote(kid)} is not among ${keys.length} keys` };
  }
  const fitting = named.filter((key) => isJwtAlgorithm(alg) && key.algorithms.has(alg));
  if (fitting.length > 0) return { kind: "found", keys: fitting };
  const which = kid === undefined || !isByName ? "no key" : `key ${quote(kid)} does not fit: no key of that id`;
  return { kind: "rejected", code: "key-unsuitable", detail: `${which} fits algorithm ${quote(alg)}` };
}

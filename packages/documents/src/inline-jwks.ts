/** What was found in a JWKS that stands in a document. */
export type InlineJwks = { readonly text: string; readonly holdsPrivateKey: boolean };

/** Members that a key must have, each of them base64url or a name; key types besides these are not read. */
const requiredMembers: ReadonlyMap<string, readonly string[]> = new Map([
  ["RSA", ["n", "e"]],
  ["EC", ["crv", "x", "y"]],
  ["OKP", ["crv", "x"]],
  ["AKP", ["alg", "pub"]],
  ["oct", ["k"]],
]);

/**
 * Returns a JWKS (RFC 7517 section 5), or a single key, as the text it is; throws an error that begins with Istio's
 * `jwks parse error` for what is neither. Whether a key can be used is for its user to see.
 *
 * No message holds anything of the text, which may hold private keys.
 */
export function readInlineJwks(text: string): InlineJwks {
  const jwks = parseJson(text);
  if (!isObject(jwks)) throw parseError("it is no JSON object");
  if (jwks.keys !== undefined && !Array.isArray(jwks.keys)) throw parseError("keys is no list");
  const keys: readonly unknown[] = jwks.keys ?? [jwks];
  let holdsPrivateKey = false;
  for (const [index, key] of keys.entries()) {
    const place = jwks.keys === undefined ? "the key" : `key ${index}`;
    if (!isObject(key)) throw parseError(`${place} is no JSON object`);
    const kty = typeof key.kty === "string" ? key.kty : "";
    const members = requiredMembers.get(kty);
    if (members === undefined) throw parseError(`${place} has no kty of RSA, EC, OKP, AKP and oct`);
    for (const name of members) {
      const value = key[name];
      if (typeof value !== "string" || !/^[A-Za-z0-9_-]+$/.test(value))
        throw parseError(`${place} has no valid ${name}`);
    }
    // RFC 7518 sections 6.2.2, 6.3.2 and 6.4; `priv` is that of AKP.
    holdsPrivateKey ||= kty === "oct" || "d" in key || "priv" in key;
  }
  return { text, holdsPrivateKey };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's own words quote the text.
    throw parseError("it is no JSON");
  }
}

function parseError(why: string): Error {
  return new Error(`jwks parse error: ${why}`);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

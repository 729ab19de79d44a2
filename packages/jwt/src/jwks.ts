import { createPublicKey } from "node:crypto";
import { decodeBase64Url } from "./compact-token.ts";
import { JwtError, quote } from "./errors.ts";
import { isJsonObject, parseJsonObject } from "./strict-json.ts";
import { createVerificationKey, type VerificationKey } from "./verification-key.ts";

/** Most keys of a set that are used: a token without `kid` is tried against every one that fits. */
export const maxKeys = 64;

/** A JWKS as far as it is usable. */
export type Jwks = {
  readonly keys: readonly VerificationKey[];
  /** Why each other key is not used. */
  readonly skipped: readonly string[];
};

/** Returns `next` with the keys of `previous` that are still in it: each key is imported once, and stays the same object while it stays. */
export function keepKnownKeys(previous: Jwks | undefined, next: Jwks): Jwks {
  if (previous === undefined) return next;
  return { ...next, keys: next.keys.map((key) => previous.keys.find((known) => isSameKey(known, key)) ?? key) };
}

function isSameKey(a: VerificationKey, b: VerificationKey): boolean {
  return a.kid === b.kid && a.algorithms.symmetricDifference(b.algorithms).size === 0 && a.key.equals(b.key);
}

type Jwk = Readonly<Record<string, unknown>>;

/**
 * Returns the usable keys of a JWKS document (RFC 7517 section 5), each bound to its algorithms.
 *
 * A key is skipped, and the others stay, when it is symmetric, carries private members, is not for verification
 * (`use`, `key_ops`), has an `alg` it does not fit, or cannot be imported. The caller caps the size of the text.
 * @throws JwtError `jwks-malformed`, `jwks-without-usable-keys`
 * @example
 * ```ts
 * import { generateKeyPairSync } from "node:crypto";
 * import { parseJwks, publicJwk } from "@signet/jwt";
 * const { publicKey } = generateKeyPairSync("ed25519");
 * parseJwks(JSON.stringify({ keys: [publicJwk(publicKey, "k1", "EdDSA")] })).keys[0]?.kid; // "k1"
 * ```
 */
export function parseJwks(text: string): Jwks {
  const entries = parseEntries(text);
  const keys: VerificationKey[] = [];
  const skipped: string[] = [];
  for (const [index, entry] of entries.entries()) {
    try {
      if (keys.length === maxKeys) throw new JwtError("key-unsuitable", `the set has more than ${maxKeys} keys`);
      keys.push(parseJwk(entry));
    } catch (error) {
      skipped.push(`${nameOf(entry, index)}: ${error instanceof JwtError ? error.message : "cannot be imported"}`);
    }
  }
  if (keys.length === 0) {
    const why = skipped.length === 0 ? "it is empty" : skipped.slice(0, 3).join("; ");
    throw new JwtError("jwks-without-usable-keys", `the JWKS has no usable key: ${why}`);
  }
  return { keys, skipped };
}

function parseEntries(text: string): readonly unknown[] {
  let document: Jwk;
  try {
    document = parseJsonObject(text);
  } catch (error) {
    throw new JwtError("jwks-malformed", `the JWKS is ${error instanceof Error ? error.message : "malformed"}`);
  }
  const entries = document.keys;
  if (!Array.isArray(entries)) throw new JwtError("jwks-malformed", 'the JWKS has no array "keys"');
  return entries;
}

function nameOf(entry: unknown, index: number): string {
  const kid = isJsonObject(entry) ? entry.kid : undefined;
  return typeof kid === "string" ? `key ${quote(kid)}` : `key number ${index + 1}`;
}

// RFC 7518 sections 6.2.2, 6.3.2 and 6.4.1. An issuer that publishes one of these has lost the key to everyone who asks.
const privateMembers = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];

function parseJwk(entry: unknown): VerificationKey {
  if (!isJsonObject(entry)) throw new JwtError("key-unsuitable", "not an object");
  if (privateMembers.some((name) => Object.hasOwn(entry, name))) {
    throw new JwtError("key-unsuitable", "it carries private members");
  }
  const { kid, alg } = entry;
  if (kid !== undefined && typeof kid !== "string") throw new JwtError("key-unsuitable", "kid is not a string");
  if (alg !== undefined && typeof alg !== "string") throw new JwtError("key-unsuitable", "alg is not a string");
  checkPurpose(entry);
  const key = createPublicKey({ key: publicMembers(entry), format: "jwk" });
  return createVerificationKey({ key, ...(kid === undefined ? {} : { kid }), ...(alg === undefined ? {} : { alg }) });
}

function checkPurpose({ use, key_ops: operations }: Jwk): void {
  // RFC 7517 sections 4.2 and 4.3.
  if (use !== undefined && use !== "sig") throw new JwtError("key-unsuitable", "use is not sig");
  if (operations === undefined) return;
  if (!Array.isArray(operations) || !operations.includes("verify")) {
    throw new JwtError("key-unsuitable", "key_ops does not hold verify");
  }
}

const membersOf: ReadonlyMap<unknown, readonly string[]> = new Map([
  ["RSA", ["n", "e"]],
  ["EC", ["x", "y"]],
  ["OKP", ["x"]],
  // "Algorithm key pair", the type of ML-DSA keys; its `alg` is part of the key.
  ["AKP", ["pub"]],
]);

/** The member that says which kind of its type a key is. */
const parameterOf: ReadonlyMap<unknown, string> = new Map([
  ["EC", "crv"],
  ["OKP", "crv"],
  ["AKP", "alg"],
]);

/** The members that make the key, and no other, so that nothing else in the JWK reaches the importer. */
function publicMembers(jwk: Jwk): Record<string, string> {
  const { kty } = jwk;
  const names = membersOf.get(kty);
  if (typeof kty !== "string" || names === undefined)
    throw new JwtError("key-unsuitable", "kty is not RSA, EC, OKP or AKP");
  const members: Record<string, string> = { kty };
  const parameter = parameterOf.get(kty);
  if (parameter !== undefined) {
    const value = jwk[parameter];
    if (typeof value !== "string") throw new JwtError("key-unsuitable", `${parameter} is missing`);
    members[parameter] = value;
  }
  for (const name of names) {
    const value = jwk[name];
    if (typeof value !== "string" || value === "" || decodeBase64Url(value) === undefined) {
      throw new JwtError("key-unsuitable", `${name} is not base64url`);
    }
    members[name] = value;
  }
  return members;
}

import { createPublicKey, createSecretKey, type KeyObject } from "node:crypto";
import type { VerificationKey } from "@signet/jwt";
import { decodeBase64Url } from "./base64url.ts";
import { isJsonObject, type JsonObject, memberOf, parseJsonObject } from "./json-object.ts";

/** A key that a rule's tokens are verified with. */
export type RuleKey = {
  /** Empty for a key without an id, which fits every token. */
  readonly keyId: string;
  /** The only algorithm it is for; empty when its JWK names none. */
  readonly onlyAlgorithm: string;
  /** What type, and in profile "strict" also curve and size, allow. Never an algorithm of another family. */
  readonly algorithms: ReadonlySet<string>;
  /**
   * Whether tokens of other algorithms are none of its business. Envoy tries a key without `alg` on every token, and an Ed25519 one
   * then ends the search at the length of the signature.
   */
  readonly isBound: boolean;
  readonly key: KeyObject;
};

const maxJwksDepth = 100;
/** Verification costs grow with the square; BoringSSL, too, ends here for RSA. */
const maxRsaBits = 8192;
const minRsaBits = 512;

/**
 * The keys of a JWKS as Envoy reads it: symmetric ones as well, any RSA modulus from 512 bits, `use`, `key_ops` and `x5c` not
 * looked at; a key that cannot be used is passed over. Empty when the text is no JWKS or holds no key that can be used.
 */
export function readRuleKeys(jwks: string): readonly RuleKey[] {
  const document = parseJsonObject(Buffer.from(jwks, "utf8"), maxJwksDepth);
  const entries = document === undefined ? undefined : memberOf(document, "keys");
  if (!Array.isArray(entries)) return [];
  return entries.map(readRuleKey).filter((key) => key !== undefined);
}

/** Returns a key of `@signet/jwt`, whose algorithms are bound to type, curve and size, as a rule's key. */
export function ruleKeyOf({ kid, key, algorithms }: VerificationKey): RuleKey {
  return { keyId: kid ?? "", onlyAlgorithm: "", algorithms, isBound: true, key };
}

function readRuleKey(entry: unknown): RuleKey | undefined {
  if (!isJsonObject(entry)) return undefined;
  const onlyAlgorithm = textOf(entry, "alg") ?? "";
  const found = importKey(entry, onlyAlgorithm);
  if (found === undefined || (onlyAlgorithm !== "" && !found.family.has(onlyAlgorithm))) return undefined;
  const keyId = textOf(entry, "kid") ?? "";
  return { keyId, onlyAlgorithm, algorithms: found.family, isBound: false, key: found.key };
}

type ImportedKey = { readonly key: KeyObject; readonly family: ReadonlySet<string> };

const rsaAlgorithms: ReadonlySet<string> = new Set(["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]);
const ecdsaAlgorithms: ReadonlySet<string> = new Set(["ES256", "ES384", "ES512"]);
const eddsaAlgorithms: ReadonlySet<string> = new Set(["EdDSA", "Ed25519"]);
const mlDsaAlgorithms: ReadonlySet<string> = new Set(["ML-DSA-44", "ML-DSA-65", "ML-DSA-87"]);
const hmacAlgorithms: ReadonlySet<string> = new Set(["HS256", "HS384", "HS512"]);

function importKey(jwk: JsonObject, onlyAlgorithm: string): ImportedKey | undefined {
  try {
    switch (memberOf(jwk, "kty")) {
      case "RSA":
        return importRsa(jwk);
      case "EC":
        return importEc(jwk, onlyAlgorithm);
      case "OKP":
        return importEd25519(jwk);
      case "oct":
        return importSecret(jwk);
      case "AKP":
        return importMlDsa(jwk, onlyAlgorithm);
      default:
        return undefined;
    }
  } catch {
    // Node's messages quote what they could not read.
    return undefined;
  }
}

function importRsa(jwk: JsonObject): ImportedKey | undefined {
  const { n, e } = { n: octetsOf(jwk, "n"), e: octetsOf(jwk, "e") };
  if (n === undefined || e === undefined) return undefined;
  const key = createPublicKey({ key: { kty: "RSA", n, e }, format: "jwk" });
  const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  if (modulusLength < minRsaBits || modulusLength > maxRsaBits) return undefined;
  return publicExponent === 3n || publicExponent === 65537n ? { key, family: rsaAlgorithms } : undefined;
}

const curveOfAlgorithm: ReadonlyMap<string, string> = new Map([
  ["ES256", "P-256"],
  ["ES384", "P-384"],
  ["ES512", "P-521"],
]);

/** The curve of a token's key is the key's, whatever the token's `alg`: that names the digest. */
function importEc(jwk: JsonObject, onlyAlgorithm: string): ImportedKey | undefined {
  const named = memberOf(jwk, "crv");
  if (named !== undefined && typeof named !== "string") return undefined;
  const implied = curveOfAlgorithm.get(onlyAlgorithm);
  if (named && implied !== undefined && named !== implied) return undefined;
  const crv = implied ?? (named || "P-256");
  const { x, y } = { x: octetsOf(jwk, "x"), y: octetsOf(jwk, "y") };
  if (x === undefined || y === undefined || ![...curveOfAlgorithm.values()].includes(crv)) return undefined;
  return { key: createPublicKey({ key: { kty: "EC", crv, x, y }, format: "jwk" }), family: ecdsaAlgorithms };
}

function importEd25519(jwk: JsonObject): ImportedKey | undefined {
  const x = octetsOf(jwk, "x");
  if (memberOf(jwk, "crv") !== "Ed25519" || x === undefined) return undefined;
  return { key: createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" }), family: eddsaAlgorithms };
}

/** Not known to Envoy: a key of ML-DSA counts only where its algorithm has been asked for. */
function importMlDsa(jwk: JsonObject, alg: string): ImportedKey | undefined {
  const pub = octetsOf(jwk, "pub");
  if (pub === undefined || !mlDsaAlgorithms.has(alg)) return undefined;
  const jwkOfKey: Record<string, string> = { kty: "AKP", alg, pub };
  return { key: createPublicKey({ key: jwkOfKey, format: "jwk" }), family: new Set([alg]) };
}

function importSecret(jwk: JsonObject): ImportedKey | undefined {
  const secret = decodeBase64Url(textOf(jwk, "k") ?? "");
  if (secret === undefined || secret.length === 0) return undefined;
  return { key: createSecretKey(secret), family: hmacAlgorithms };
}

function textOf(jwk: JsonObject, name: string): string | undefined {
  const value = memberOf(jwk, name);
  return typeof value === "string" ? value : undefined;
}

/** The octets of a member in canonical base64url. */
function octetsOf(jwk: JsonObject, name: string): string | undefined {
  const octets = decodeBase64Url(textOf(jwk, name) ?? "");
  return octets === undefined || octets.length === 0 ? undefined : octets.toString("base64url");
}

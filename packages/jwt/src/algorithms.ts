import type { KeyObject } from "node:crypto";

/**
 * The signature algorithms that a token may use, all asymmetric: RFC 7518 section 3.1, RFC 8037 section 3.1 and its fully
 * specified name of RFC 9864, and ML-DSA (FIPS 204) as the JOSE working group names it.
 */
export type JwtAlgorithm =
  | "RS256"
  | "RS384"
  | "RS512"
  | "PS256"
  | "PS384"
  | "PS512"
  | "ES256"
  | "ES384"
  | "ES512"
  | "EdDSA"
  | "Ed25519"
  | "ML-DSA-44"
  | "ML-DSA-65"
  | "ML-DSA-87";

/** How an algorithm signs, and the only kind of key that it may sign with. */
export type SignatureScheme =
  | { readonly kind: "rsa-pkcs1"; readonly digest: string }
  | { readonly kind: "rsa-pss"; readonly digest: string }
  | { readonly kind: "ecdsa"; readonly digest: string; readonly curve: string; readonly integerBytes: number }
  /** Algorithms whose digest is part of them; `type` is what Node calls the key. */
  | { readonly kind: "pure"; readonly type: "ed25519" | "ml-dsa-44" | "ml-dsa-65" | "ml-dsa-87" };

/** Smallest RSA modulus, in bits (RFC 7518 section 3.3). */
export const minRsaBits = 2048;

/** Largest RSA modulus, in bits: verification costs grow with the square, and an issuer chooses its key, not its price. */
export const maxRsaBits = 8192;

// No prototype: `alg: "constructor"` finds nothing. `none` and HS* are not here, so they cannot be allowed by mistake.
const schemes: { readonly [name: string]: SignatureScheme | undefined } = Object.freeze(
  Object.assign(Object.create(null), {
    RS256: { kind: "rsa-pkcs1", digest: "sha256" },
    RS384: { kind: "rsa-pkcs1", digest: "sha384" },
    RS512: { kind: "rsa-pkcs1", digest: "sha512" },
    PS256: { kind: "rsa-pss", digest: "sha256" },
    PS384: { kind: "rsa-pss", digest: "sha384" },
    PS512: { kind: "rsa-pss", digest: "sha512" },
    ES256: { kind: "ecdsa", digest: "sha256", curve: "prime256v1", integerBytes: 32 },
    ES384: { kind: "ecdsa", digest: "sha384", curve: "secp384r1", integerBytes: 48 },
    ES512: { kind: "ecdsa", digest: "sha512", curve: "secp521r1", integerBytes: 66 },
    EdDSA: { kind: "pure", type: "ed25519" },
    Ed25519: { kind: "pure", type: "ed25519" },
    "ML-DSA-44": { kind: "pure", type: "ml-dsa-44" },
    "ML-DSA-65": { kind: "pure", type: "ml-dsa-65" },
    "ML-DSA-87": { kind: "pure", type: "ml-dsa-87" },
  } satisfies Record<JwtAlgorithm, SignatureScheme>),
);

/** The algorithms a verified token may have, in the order of RFC 7518; ML-DSA counts only where Node's OpenSSL has it. */
export const jwtAlgorithms: readonly JwtAlgorithm[] = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519",
  "ML-DSA-44",
  "ML-DSA-65",
  "ML-DSA-87",
];

/** The scheme of an algorithm, or undefined for any name that is not allowed. */
export function schemeOf(algorithm: string): SignatureScheme | undefined {
  return schemes[algorithm];
}

/** Whether `name` is an algorithm that a token may use. */
export function isJwtAlgorithm(name: string): name is JwtAlgorithm {
  return schemes[name] !== undefined;
}

/** The algorithms that fit a key by type, curve and size; empty for a key that may sign no token. */
export function algorithmsOf(key: KeyObject): ReadonlySet<JwtAlgorithm> {
  return new Set(jwtAlgorithms.filter((name) => fits(schemeOf(name), key)));
}

function fits(scheme: SignatureScheme | undefined, key: KeyObject): boolean {
  const details = key.asymmetricKeyDetails ?? {};
  switch (scheme?.kind) {
    case "rsa-pkcs1":
    case "rsa-pss": {
      const bits = details.modulusLength ?? 0;
      // An exponent of 1 makes every signature valid that looks like one.
      const exponent = details.publicExponent ?? 0n;
      return key.asymmetricKeyType === "rsa" && bits >= minRsaBits && bits <= maxRsaBits && exponent >= 3n;
    }
    case "ecdsa":
      return key.asymmetricKeyType === "ec" && details.namedCurve === scheme.curve;
    case "pure":
      return key.asymmetricKeyType === scheme.type;
    default:
      return false;
  }
}

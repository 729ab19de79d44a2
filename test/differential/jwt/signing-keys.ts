import {
  constants,
  createHmac,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from "node:crypto";

/** A key that tokens of a test are signed with. */
export type SigningKey = {
  readonly name: string;
  readonly family: "RSA" | "EC" | "OKP" | "oct";
  /** Algorithms it is meant for. */
  readonly algorithms: readonly string[];
  /** What a JWKS holds of it, without `kid` and `alg`. */
  readonly jwk: Readonly<Record<string, unknown>>;
  /** Signs as `alg` says as far as the key can; the algorithm's digest and padding, whatever its family. */
  sign(alg: string, input: Buffer): Buffer;
};

const rsaAlgorithms = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];
const hmacAlgorithms = ["HS256", "HS384", "HS512"];

/** Makes the keys of one run. */
export function createSigningKeys(): readonly SigningKey[] {
  const rsa = (modulusLength: number, publicExponent = 65537): KeyObject =>
    generateKeyPairSync("rsa", { modulusLength, publicExponent }).privateKey;
  const ec = (namedCurve: string): KeyObject => generateKeyPairSync("ec", { namedCurve }).privateKey;
  return [
    asymmetric("rsa", rsa(2048), rsaAlgorithms),
    asymmetric("rsa-other", rsa(2048), rsaAlgorithms),
    asymmetric("rsa-small", rsa(1024), rsaAlgorithms),
    asymmetric("rsa-e3", rsa(2048, 3), rsaAlgorithms),
    asymmetric("p256", ec("P-256"), ["ES256"]),
    asymmetric("p256-other", ec("P-256"), ["ES256"]),
    asymmetric("p384", ec("P-384"), ["ES384"]),
    asymmetric("p521", ec("P-521"), ["ES512"]),
    asymmetric("ed25519", generateKeyPairSync("ed25519").privateKey, ["EdDSA"]),
    asymmetric("ed25519-other", generateKeyPairSync("ed25519").privateKey, ["EdDSA"]),
    secret("secret", randomBytes(64)),
    secret("secret-short", randomBytes(5)),
  ];
}

function asymmetric(name: string, key: KeyObject, algorithms: readonly string[]): SigningKey {
  const jwk = createPublicKey(key).export({ format: "jwk" });
  const family = key.asymmetricKeyType === "rsa" ? "RSA" : key.asymmetricKeyType === "ec" ? "EC" : "OKP";
  return {
    name,
    family,
    algorithms,
    jwk: { ...jwk },
    sign(alg, input) {
      if (family === "OKP") return sign(null, input, key);
      if (family === "EC") return sign(digestOf(alg), input, { key, dsaEncoding: "ieee-p1363" });
      if (!alg.startsWith("PS")) return sign(digestOf(alg), input, key);
      // A small modulus has no room for the salt of a long digest.
      const digest = (key.asymmetricKeyDetails?.modulusLength ?? 0) < 2048 ? "sha256" : digestOf(alg);
      const padding = constants.RSA_PKCS1_PSS_PADDING;
      return sign(digest, input, { key, padding, saltLength: constants.RSA_PSS_SALTLEN_DIGEST });
    },
  };
}

function secret(name: string, octets: Buffer): SigningKey {
  return {
    name,
    family: "oct",
    algorithms: hmacAlgorithms,
    jwk: { kty: "oct", k: octets.toString("base64url") },
    sign: (alg, input) => createHmac(digestOf(alg), octets).update(input).digest(),
  };
}

function digestOf(alg: string): string {
  return /(256|384|512)$/.test(alg) ? `sha${alg.slice(-3)}` : "sha256";
}

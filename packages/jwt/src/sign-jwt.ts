import { createPublicKey, type KeyObject, sign } from "node:crypto";
import { algorithmsOf } from "./algorithms.ts";
import type { JwtClaims } from "./compact-token.ts";
import { JwtError } from "./errors.ts";
import { describeKey } from "./verification-key.ts";

/** The algorithms this package signs with. */
export type SigningAlgorithm = "RS256" | "ES256" | "EdDSA";

/**
 * Returns `claims` as a signed JWT in compact form; header `alg`, `kid` and `typ: JWT`.
 *
 * Synchronous: about 0.2 ms with RSA-2048, a tenth of that with P-256. The claims are signed as they are; times in
 * them are seconds since 1970.
 * @throws JwtError `key-unsuitable` when the key is not private or does not fit `alg`
 * @example
 * ```ts
 * import { generateKeyPairSync } from "node:crypto";
 * import { signJwt } from "@signet/jwt";
 * const { privateKey } = generateKeyPairSync("ed25519");
 * const exp = Math.floor(Date.now() / 1000) + 3600;
 * signJwt({
 *   claims: { iss: "https://issuer.example", sub: "alice", aud: ["istio-ca"], exp },
 *   key: privateKey,
 *   kid: "k1",
 *   alg: "EdDSA",
 * });
 * ```
 */
export function signJwt(options: {
  readonly claims: JwtClaims;
  readonly key: KeyObject;
  readonly kid: string;
  readonly alg: SigningAlgorithm;
}): string {
  const { alg, key, kid } = options;
  if (key.type !== "private") throw new JwtError("key-unsuitable", `a ${key.type} key signs no token`);
  if (!algorithmsOf(key).has(alg)) throw new JwtError("key-unsuitable", `${describeKey(key)} does not fit ${alg}`);
  const signingInput = `${encode({ alg, kid, typ: "JWT" })}.${encode(options.claims)}`;
  return `${signingInput}.${signatureOf(Buffer.from(signingInput, "latin1"), key, alg).toString("base64url")}`;
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value), "utf8").toString("base64url");
}

function signatureOf(input: Buffer, key: KeyObject, alg: SigningAlgorithm): Buffer {
  switch (alg) {
    case "RS256":
      return sign("sha256", input, key);
    case "ES256":
      return sign("sha256", input, { key, dsaEncoding: "ieee-p1363" });
    case "EdDSA":
      return sign(null, input, key);
  }
}

/**
 * Returns the JWK (RFC 7517) of a key's public half, as it stands in a JWKS: members of the key, `kid`, `alg`, `use: sig`.
 *
 * A private key may be passed; no private member is in the result.
 * @throws JwtError `key-unsuitable` when the key does not fit `alg`
 * @example
 * ```ts
 * import { generateKeyPairSync } from "node:crypto";
 * import { publicJwk } from "@signet/jwt";
 * const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
 * JSON.stringify({ keys: [publicJwk(publicKey, "k1", "ES256")] });
 * ```
 */
export function publicJwk(key: KeyObject, kid: string, alg: SigningAlgorithm): Record<string, unknown> {
  if (key.type === "secret") throw new JwtError("key-unsuitable", "a secret key has no public half");
  if (!algorithmsOf(key).has(alg)) throw new JwtError("key-unsuitable", `${describeKey(key)} does not fit ${alg}`);
  const publicKey = key.type === "private" ? createPublicKey(key) : key;
  return { ...publicKey.export({ format: "jwk" }), kid, alg, use: "sig" };
}

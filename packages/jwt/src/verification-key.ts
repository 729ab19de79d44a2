import type { KeyObject } from "node:crypto";
import { constants, createPublicKey, verify } from "node:crypto";
import { assertNever } from "@signet/runtime";
import { algorithmsOf, type JwtAlgorithm, schemeOf } from "./algorithms.ts";
import { ecdsaSignatureToDer } from "./ecdsa-signature.ts";
import { JwtError, quote } from "./errors.ts";

/** A public key of an issuer, imported once. */
export type VerificationKey = {
  readonly kid?: string;
  readonly key: KeyObject;
  /** What a token signed with this key may say in `alg`: never empty, never more than type, curve and JWK allow. */
  readonly algorithms: ReadonlySet<JwtAlgorithm>;
};

/**
 * Returns `key` bound to the algorithms that fit it: by type, curve and size, and to `alg` alone when that is given.
 *
 * A private key is reduced to its public half.
 * @throws JwtError `key-unsuitable` when no algorithm is left
 * @example
 * ```ts
 * import { generateKeyPairSync } from "node:crypto";
 * import { createVerificationKey } from "@signet/jwt";
 * const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
 * createVerificationKey({ key: publicKey, kid: "k1" }).algorithms.has("ES256"); // true
 * ```
 */
export function createVerificationKey(options: {
  readonly key: KeyObject;
  readonly kid?: string;
  readonly alg?: string;
}): VerificationKey {
  const key = options.key.type === "private" ? createPublicKey(options.key) : options.key;
  if (key.type !== "public") throw new JwtError("key-unsuitable", "a secret key verifies no token");
  const fitting = algorithmsOf(key);
  const algorithms = new Set([...fitting].filter((name) => options.alg === undefined || name === options.alg));
  if (algorithms.size === 0) {
    const wanted = options.alg === undefined ? "any allowed algorithm" : `algorithm ${quote(options.alg)}`;
    throw new JwtError("key-unsuitable", `${describeKey(key)} does not fit ${wanted}`);
  }
  return { key, algorithms, ...(options.kid === undefined ? {} : { kid: options.kid }) };
}

/** A key's type and size or curve, for messages. */
export function describeKey(key: KeyObject): string {
  const details = key.asymmetricKeyDetails ?? {};
  const size =
    details.namedCurve ?? (details.modulusLength === undefined ? undefined : `${details.modulusLength} bits`);
  const type = key.asymmetricKeyType ?? "secret";
  return size === undefined ? `${type} key` : `${type} key (${size})`;
}

/** Whether `signature` over `signingInput` was made by the owner of `key` with exactly the algorithm `alg`. */
export function verifySignature(
  key: VerificationKey,
  alg: JwtAlgorithm,
  signed: { readonly signingInput: Buffer; readonly signature: Buffer },
): boolean {
  const scheme = schemeOf(alg);
  if (scheme === undefined || !key.algorithms.has(alg)) return false;
  switch (scheme.kind) {
    // Bare key objects where OpenSSL's defaults are right: an options object costs 9 to 19 us a call.
    case "rsa-pkcs1":
      return verify(scheme.digest, signed.signingInput, key.key, signed.signature);
    case "rsa-pss": {
      // RFC 7518 section 3.5: the salt is as long as the digest, and MGF1 uses the same digest.
      const options = {
        key: key.key,
        padding: constants.RSA_PKCS1_PSS_PADDING,
        saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
      };
      return verify(scheme.digest, signed.signingInput, options, signed.signature);
    }
    case "ecdsa": {
      const der = ecdsaSignatureToDer(signed.signature, scheme.integerBytes);
      return der !== undefined && verify(scheme.digest, signed.signingInput, key.key, der);
    }
    case "pure":
      return verify(null, signed.signingInput, key.key, signed.signature);
    default:
      return assertNever(scheme);
  }
}

import { constants, createHmac, timingSafeEqual, verify } from "node:crypto";
import type { ParsedToken } from "./parse-token.ts";
import type { RuleKey } from "./rule-key.ts";

/** Why no key verifies a token. */
type SignatureProblem = "key-not-found" | "signature-length-invalid" | "signature-invalid";

const ed25519SignatureBytes = 64;

/**
 * The first of `keys` that verifies the token, or why none does; keys by id when both sides name one, otherwise all that are for its `alg`.
 *
 * An algorithm is bound to the type of key: a public key is never a secret (RFC 8725 section 3.1). Envoy ends at an Ed25519
 * key when the signature has another length than 64 octets, without trying the keys that follow, and so do we.
 */
export function checkSignature(token: ParsedToken, keys: readonly RuleKey[]): RuleKey | SignatureProblem {
  const { keyId, algorithm } = token.facts;
  let matched = false;
  for (const key of keys) {
    if (keyId !== "" && key.keyId !== "" && keyId !== key.keyId) continue;
    if (key.onlyAlgorithm !== "" && key.onlyAlgorithm !== algorithm) continue;
    if (key.isBound && !key.algorithms.has(algorithm)) continue;
    matched = true;
    if (key.key.asymmetricKeyType === "ed25519" && token.signature.length !== ed25519SignatureBytes) {
      return "signature-length-invalid";
    }
    if (key.algorithms.has(algorithm) && isSignedBy(token, key)) return key;
  }
  return matched ? "signature-invalid" : "key-not-found";
}

function isSignedBy({ facts, signingInput, signature }: ParsedToken, { key }: RuleKey): boolean {
  const { algorithm } = facts;
  switch (algorithm.slice(0, 2)) {
    case "RS":
      return verify(digestNameOf(algorithm), signingInput, key, signature);
    case "PS": {
      const padding = constants.RSA_PKCS1_PSS_PADDING;
      const options = { key, padding, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
      return verify(digestNameOf(algorithm), signingInput, options, signature);
    }
    case "ES":
      return verify(digestNameOf(algorithm), signingInput, key, derSignature(signature));
    case "HS": {
      const expected = createHmac(digestNameOf(algorithm), key).update(signingInput).digest();
      return expected.length === signature.length && timingSafeEqual(expected, signature);
    }
    default:
      // EdDSA and ML-DSA: the digest is part of the algorithm, and the algorithm is the key's.
      return key.type === "public" && verify(null, signingInput, key, signature);
  }
}

function digestNameOf(algorithm: string): string {
  return `sha${algorithm.slice(2)}`;
}

/** The DER form of r and s, the two halves of a JWS signature (RFC 7518 section 3.4) of any length, as Envoy takes them. */
function derSignature(signature: Buffer): Buffer {
  const half = Math.floor(signature.length / 2);
  const r = derInteger(signature.subarray(0, half));
  const s = derInteger(signature.subarray(half, 2 * half));
  return Buffer.concat([Buffer.from([0x30, ...derLength(r.length + s.length)]), r, s]);
}

function derInteger(octets: Buffer): Buffer {
  const first = octets.findIndex((octet) => octet !== 0);
  const significant = first === -1 ? Buffer.from([0]) : octets.subarray(first);
  // Positive, so a set top bit needs a zero octet before it.
  const sign = (significant[0] ?? 0) >= 0x80 ? [0] : [];
  return Buffer.concat([Buffer.from([0x02, ...derLength(significant.length + sign.length), ...sign]), significant]);
}

function derLength(length: number): readonly number[] {
  if (length < 0x80) return [length];
  return length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
}

import { constants, createHmac, timingSafeEqual, verify } from "node:crypto";
import type { ParsedToken } from "./parse-token.ts";
import type { RuleKey } from "./rule-key.ts";

/** What keys make of a token's signature. */
export type SignatureOutcome = "verified" | "key-not-found" | "signature-length-invalid" | "signature-invalid";

const ed25519SignatureBytes = 64;

/**
 * Whether one of `keys` verifies the token; keys by id when both sides name one, otherwise all that are for its `alg`.
 *
 * An algorithm is bound to the type of key: a public key is never a secret (RFC 8725 section 3.1). Envoy ends at an Ed25519
 * key when the signature has another length than 64 octets, without trying the keys that follow, and so do we.
 */
export function checkSignature(token: ParsedToken, keys: readonly RuleKey[]): SignatureOutcome {
  let matched = false;
  for (const key of keys) {
    if (token.keyId !== "" && key.keyId !== "" && token.keyId !== key.keyId) continue;
    if (key.onlyAlgorithm !== "" && key.onlyAlgorithm !== token.algorithm) continue;
    matched = true;
    if (key.key.asymmetricKeyType === "ed25519" && token.signature.length !== ed25519SignatureBytes) {
      return "signature-length-invalid";
    }
    if (key.algorithms.has(token.algorithm) && isSignedBy(token, key)) return "verified";
  }
  return matched ? "signature-invalid" : "key-not-found";
}

function isSignedBy({ algorithm, signingInput, signature }: ParsedToken, { key }: RuleKey): boolean {
  const digest = `sha${algorithm.slice(2)}`;
  switch (algorithm.slice(0, 2)) {
    case "RS":
      return verify(digest, signingInput, key, signature);
    case "PS": {
      const padding = constants.RSA_PKCS1_PSS_PADDING;
      return verify(digest, signingInput, { key, padding, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }, signature);
    }
    case "ES":
      return verify(digest, signingInput, key, derSignature(signature));
    case "HS": {
      const expected = createHmac(digest, key).update(signingInput).digest();
      return expected.length === signature.length && timingSafeEqual(expected, signature);
    }
    default:
      return algorithm === "EdDSA" && verify(null, signingInput, key, signature);
  }
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

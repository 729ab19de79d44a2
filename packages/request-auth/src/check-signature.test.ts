import { createPublicKey } from "node:crypto";
import { describe, expect, test } from "vitest";
import { jwkOf, keys, rule, secret, secretJwk, type TokenOptions, tokenOfA, verdict } from "./test-tokens.ts";

const all = [
  jwkOf(keys.rsa, { kid: "rsa" }),
  jwkOf(keys.ec, { kid: "ec" }),
  { ...secretJwk, kid: "oct" },
  jwkOf(keys.smallRsa, { kid: "small" }),
  jwkOf(keys.ed, { kid: "ed" }),
];

function signedBy(kid: string, options: TokenOptions): string {
  return tokenOfA({}, { ...options, header: { kid } });
}

const padHalves = (s: Buffer): Buffer =>
  Buffer.concat([Buffer.alloc(4), s.subarray(0, 32), Buffer.alloc(4), s.subarray(32)]);
const pem = createPublicKey(keys.rsa).export({ type: "spki", format: "pem" });

describe("section 4.5: keys and algorithms", () => {
  test.each<[string, string, string]>([
    ["RS256", signedBy("rsa", { alg: "RS256", key: keys.rsa }), "a/alice"],
    ["RS384", signedBy("rsa", { alg: "RS384", key: keys.rsa, digest: "sha384" }), "a/alice"],
    ["RS512", signedBy("rsa", { alg: "RS512", key: keys.rsa, digest: "sha512" }), "a/alice"],
    ["PS256", signedBy("rsa", { alg: "PS256", key: keys.rsa, pss: true }), "a/alice"],
    ["PS512", signedBy("rsa", { alg: "PS512", key: keys.rsa, pss: true, digest: "sha512" }), "a/alice"],
    ["ES256", signedBy("ec", { alg: "ES256" }), "a/alice"],
    ["ES384 with a key of P-256", signedBy("ec", { alg: "ES384", digest: "sha384" }), "a/alice"],
    ["ES256 with zeros before r and s", signedBy("ec", { alg: "ES256", signature: padHalves }), "a/alice"],
    ["EdDSA", signedBy("ed", { alg: "EdDSA", key: keys.ed }), "a/alice"],
    ["HS256", signedBy("oct", { alg: "HS256", hmac: secret }), "a/alice"],
    ["HS512", signedBy("oct", { alg: "HS512", hmac: secret, digest: "sha512" }), "a/alice"],
    ["RSA of 1024 bits", signedBy("small", { alg: "RS256", key: keys.smallRsa }), "a/alice"],
    ["token without kid tries all", tokenOfA({}, { alg: "RS256", key: keys.smallRsa }), "a/alice"],
    ["empty kid is none", signedBy("", { alg: "RS256", key: keys.rsa }), "a/alice"],
    ["kid of no key", signedBy("z", { alg: "ES256" }), "key-not-found"],
    ["kid of another key", signedBy("rsa", { alg: "ES256" }), "signature-invalid"],
    [
      "digest of another algorithm",
      signedBy("rsa", { alg: "RS256", key: keys.rsa, digest: "sha512" }),
      "signature-invalid",
    ],
    ["PSS called PKCS1", signedBy("rsa", { alg: "RS256", key: keys.rsa, pss: true }), "signature-invalid"],
    [
      "Ed25519 of 63 octets",
      signedBy("ed", { alg: "EdDSA", key: keys.ed, signature: (s) => s.subarray(1) }),
      "signature-length-invalid",
    ],
    ["empty halves", signedBy("ec", { signature: () => Buffer.from([1]) }), "signature-invalid"],
    ["r and s zero", signedBy("ec", { signature: () => Buffer.alloc(64) }), "signature-invalid"],
    ["r and s huge", signedBy("ec", { signature: () => Buffer.alloc(600, 0xff) }), "signature-invalid"],
    ["attack: RS256 label over an EC signature", signedBy("ec", { alg: "RS256", key: keys.ec }), "signature-invalid"],
    ["attack: RS256 label over HMAC", signedBy("oct", { alg: "RS256", hmac: secret }), "signature-invalid"],
    ["attack: HMAC with the public key as PEM", signedBy("rsa", { alg: "HS256", hmac: pem }), "signature-invalid"],
    ["attack: HMAC with the public key, no kid", tokenOfA({}, { alg: "HS256", hmac: pem }), "signature-length-invalid"],
    ["attack: HMAC with an empty secret", tokenOfA({}, { alg: "HS256", hmac: "" }), "signature-length-invalid"],
  ])("%s", async (_name, bearer, expected) => {
    expect(await verdict([rule({ keySet: all })], { bearer })).toBe(expected);
  });

  test.each<[string, readonly object[], TokenOptions, string]>([
    ["JWK without kid fits any token", [jwkOf(keys.ec)], { header: { kid: "any" } }, "a/alice"],
    ["alg of the JWK is the token's", [jwkOf(keys.ec, { alg: "ES256" })], {}, "a/alice"],
    [
      "alg of the JWK is another",
      [jwkOf(keys.rsa, { alg: "RS512" })],
      { alg: "RS256", key: keys.rsa },
      "key-not-found",
    ],
    ["alg of the JWK is of another family", [jwkOf(keys.ec, { alg: "RS256" })], {}, "keys-invalid"],
    ["crv and alg of the JWK contradict", [jwkOf(keys.ec, { alg: "ES384" })], {}, "keys-invalid"],
    ["crv missing means P-256", [jwkOf(keys.ec, { crv: undefined })], {}, "a/alice"],
    ["use and key_ops are not looked at", [jwkOf(keys.ec, { use: "enc", key_ops: ["sign"] })], {}, "a/alice"],
    [
      "invalid keys are passed over",
      [{}, 7, { kty: "RSA" }, { kty: "oct", k: "" }, jwkOf(keys.ec)] as object[],
      {},
      "a/alice",
    ],
    [
      "duplicate kid: all are tried",
      [jwkOf(keys.otherEc, { kid: "k" }), jwkOf(keys.ec, { kid: "k" })],
      { header: { kid: "k" } },
      "a/alice",
    ],
    ["RSA exponent 1", [jwkOf(keys.rsa, { e: "AQ" })], { alg: "RS256", key: keys.rsa }, "keys-invalid"],
    ["point not on the curve", [jwkOf(keys.ec, { x: "AAAA" })], {}, "keys-invalid"],
    ["no key at all", [], {}, "keys-invalid"],
    [
      "Ed25519 key before the one that signed",
      [jwkOf(keys.ed), jwkOf(keys.rsa)],
      { alg: "RS256", key: keys.rsa },
      "signature-length-invalid",
    ],
  ])("%s", async (_name, keySet, options, expected) => {
    expect(await verdict([rule({ keySet })], { bearer: tokenOfA({}, options) })).toBe(expected);
  });

  test.each(["", "{", "[]", '{"keys":{}}', '{"keys":[]}', `{"keys":[],"keys":[]}`])(
    "a JWKS that is none: %s",
    async (jwks) => {
      expect(await verdict([rule({ jwks })], { bearer: tokenOfA() })).toBe("keys-invalid");
    },
  );
});

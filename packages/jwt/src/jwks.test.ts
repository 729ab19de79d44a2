import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { describe, expect, it } from "vitest";
import { JwtError } from "./errors.ts";
import { keepKnownKeys, maxKeys, parseJwks } from "./jwks.ts";
import { testSigningKey } from "./testing.ts";

const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
const rsa = testSigningKey("RS256", "jwks.test");
const good = { ...ec.publicKey.export({ format: "jwk" }), kid: "good" };

const mlDsa = generateKeyPairSync("ml-dsa-44").publicKey.export({ format: "jwk" });

function rsaJwk(bits: number): object {
  return generateKeyPairSync("rsa", { modulusLength: bits }).publicKey.export({ format: "jwk" });
}

function codeOf(text: string): string | undefined {
  try {
    parseJwks(text);
    return undefined;
  } catch (error) {
    if (error instanceof JwtError) return error.code;
    throw error;
  }
}

function publicJwkOf(key: KeyObject): Record<string, unknown> {
  const { kty, n, e } = key.export({ format: "jwk" });
  return { kty, n, e };
}

describe("parseJwks", () => {
  it.each([
    ["", "jwks-malformed"],
    ["<html>", "jwks-malformed"],
    ["[]", "jwks-malformed"],
    ["{}", "jwks-malformed"],
    ['{"keys":{}}', "jwks-malformed"],
    ['{"keys":[],"keys":[]}', "jwks-malformed"],
    ['{"keys":[]}', "jwks-without-usable-keys"],
    ['{"keys":[null,1,"a",[]]}', "jwks-without-usable-keys"],
  ])("refuses %j with %s", (text, code) => {
    expect(codeOf(text)).toBe(code);
  });

  it.each<[string, object, string]>([
    ["a symmetric key", { kty: "oct", k: "c2VjcmV0" }, "private members"],
    ["an EC private key", { ...ec.privateKey.export({ format: "jwk" }) }, "private members"],
    ["an RSA private key", { ...rsa.export({ format: "jwk" }) }, "private members"],
    ["half of an RSA private key", { ...publicJwkOf(rsa), p: "AQAB" }, "private members"],
    ["a key for encryption", { ...good, use: "enc" }, "use is not sig"],
    ["a key for signing only", { ...good, key_ops: ["sign"] }, "key_ops"],
    ["key_ops that is no array", { ...good, key_ops: "verify" }, "key_ops"],
    ["an algorithm of another curve", { ...good, alg: "ES384" }, "does not fit"],
    ["an algorithm of another type", { ...good, alg: "RS256" }, "does not fit"],
    ["HS256", { ...good, alg: "HS256" }, "does not fit"],
    ["none", { ...good, alg: "none" }, "does not fit"],
    ["a name of Object.prototype", { ...good, alg: "constructor" }, "does not fit"],
    ["a kid that is no string", { ...good, kid: 1 }, "kid"],
    ["an alg that is no string", { ...good, alg: 1 }, "alg"],
    ["an unknown type", { kty: "XX", x: "AA" }, "kty"],
    ["no type", { n: "AA", e: "AQAB" }, "kty"],
    ["no curve", { kty: "EC", x: good.x, y: good.y }, "crv"],
    [
      "a curve we do not know",
      { ...generateKeyPairSync("x25519").publicKey.export({ format: "jwk" }) },
      "does not fit",
    ],
    ["ML-DSA without its algorithm", { ...mlDsa, alg: undefined }, "alg is missing"],
    ["ML-DSA of another algorithm", { ...mlDsa, alg: "ML-DSA-65" }, "cannot be imported"],
    ["an ML-DSA private key", { ...mlDsa, priv: "AA" }, "private members"],
    ["a point off the curve", { ...good, y: good.x }, "cannot be imported"],
    ["padding", { ...good, x: `${good.x}=` }, "x is not base64url"],
    ["an empty member", { ...good, x: "" }, "x is not base64url"],
    ["RSA below 2048 bits", rsaJwk(1024), "does not fit"],
    ["the exponent 1", { ...publicJwkOf(rsa), e: "AQ" }, ""],
  ])("skips %s and keeps the others", (_, jwk, reason) => {
    const { keys, skipped } = parseJwks(JSON.stringify({ keys: [jwk, good] }));
    expect(keys.map((key) => key.kid)).toEqual(["good"]);
    expect(skipped).toEqual([expect.stringContaining(reason)]);
  });

  it.each<[string, object, readonly string[]]>([
    ["P-256", good, ["ES256"]],
    ["P-384", generateKeyPairSync("ec", { namedCurve: "P-384" }).publicKey.export({ format: "jwk" }), ["ES384"]],
    ["P-521", generateKeyPairSync("ec", { namedCurve: "P-521" }).publicKey.export({ format: "jwk" }), ["ES512"]],
    ["Ed25519", generateKeyPairSync("ed25519").publicKey.export({ format: "jwk" }), ["EdDSA", "Ed25519"]],
    ["ML-DSA-44", mlDsa, ["ML-DSA-44"]],
    ["RSA", publicJwkOf(rsa), ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]],
    ["RSA for one algorithm", { ...publicJwkOf(rsa), alg: "PS384" }, ["PS384"]],
    ["use and key_ops", { ...good, use: "sig", key_ops: ["verify"] }, ["ES256"]],
    ["members nobody knows", { ...good, x5c: ["AA"], later: { a: 1 } }, ["ES256"]],
  ])("binds a key to its algorithms: %s", (_, jwk, algorithms) => {
    const { keys, skipped } = parseJwks(JSON.stringify({ keys: [jwk] }));
    expect(skipped).toEqual([]);
    expect([...(keys[0]?.algorithms ?? [])]).toEqual(algorithms);
    expect(keys[0]?.key.type).toBe("public");
  });

  it("uses no more keys than a token without key id should cost", () => {
    const { keys, skipped } = parseJwks(JSON.stringify({ keys: Array.from({ length: maxKeys + 2 }, () => good) }));
    expect([keys.length, skipped.length]).toEqual([maxKeys, 2]);
  });

  it("never shows key material in a reason", () => {
    const { skipped } = parseJwks(JSON.stringify({ keys: [{ ...ec.privateKey.export({ format: "jwk" }) }, good] }));
    expect(skipped.join()).not.toContain(String(ec.privateKey.export({ format: "jwk" }).d));
  });
});

describe("keepKnownKeys", () => {
  const other = generateKeyPairSync("ed25519").publicKey.export({ format: "jwk" });
  const setOf = (...keys: readonly object[]): ReturnType<typeof parseJwks> => parseJwks(JSON.stringify({ keys }));

  it("keeps the very keys that are still there, in the order of the new set", () => {
    const before = setOf(good, { ...other, kid: "o" });
    const after = keepKnownKeys(before, setOf({ ...other, kid: "o" }, good));
    expect(after.keys).toEqual(before.keys.toReversed());
    expect(after.keys.every((key) => before.keys.includes(key))).toBe(true);
  });

  it.each<[string, object]>([
    ["another key under the same id", { ...other, kid: "good" }],
    ["the key under another id", { ...good, kid: "renamed" }],
  ])("takes %s for new", (_, jwk) => {
    const before = setOf(good);
    const after = keepKnownKeys(before, setOf(jwk));
    expect(after.keys).toHaveLength(1);
    expect(before.keys).not.toContain(after.keys[0]);
  });

  it("takes a key that is now for another algorithm for new", () => {
    const jwk = publicJwkOf(rsa);
    const before = setOf({ ...jwk, alg: "RS256" });
    expect(before.keys).not.toContain(keepKnownKeys(before, setOf({ ...jwk, alg: "PS256" })).keys[0]);
  });
});

import { createPublicKey, createSecretKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { importJWK, jwtVerify } from "jose";
import { describe, expect, it } from "vitest";
import { decodeJwtUnverified } from "./decode-jwt.ts";
import { JwtError } from "./errors.ts";
import { parseJwks } from "./jwks.ts";
import { publicJwk, type SigningAlgorithm, signJwt } from "./sign-jwt.ts";
import { testSigningKey } from "./testing.ts";

const algorithms: readonly SigningAlgorithm[] = ["RS256", "ES256", "EdDSA"];
const exp = Math.floor(Date.now() / 1000) + 3600;

function codeOf(action: () => unknown): string | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    if (error instanceof JwtError) return error.code;
    throw error;
  }
}

describe("signJwt", () => {
  it.each(algorithms)("makes an %s token that jose verifies with the published key", async (alg) => {
    const key = testSigningKey(alg, "sign");
    const claims = { iss: "https://issuer.example", sub: "\u00e9\u{1f512}", aud: ["a", "b"], exp };
    const token = signJwt({ claims, key, kid: "k1", alg });
    const verified = await jwtVerify(token, await importJWK(publicJwk(key, "k1", alg)), { algorithms: [alg] });
    expect(verified.payload).toEqual(claims);
    expect(verified.protectedHeader).toEqual({ alg, kid: "k1", typ: "JWT" });
    expect(decodeJwtUnverified(token)).toEqual({ header: { alg, kid: "k1", typ: "JWT" }, claims });
  });

  const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
  it.each<[string, KeyObject, SigningAlgorithm]>([
    ["a public key", ec.publicKey, "ES256"],
    ["a secret", createSecretKey(Buffer.alloc(32)), "ES256"],
    ["a key of another type", ec.privateKey, "RS256"],
    ["a key of another curve", generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey, "ES256"],
    ["Ed448", generateKeyPairSync("ed448").privateKey, "EdDSA"],
    ["a short RSA key", generateKeyPairSync("rsa", { modulusLength: 1024 }).privateKey, "RS256"],
    ["an RSA-PSS key", generateKeyPairSync("rsa-pss", { modulusLength: 2048 }).privateKey, "RS256"],
  ])("refuses to sign with %s", (_, key, alg) => {
    expect(codeOf(() => signJwt({ claims: {}, key, kid: "k1", alg }))).toBe("key-unsuitable");
  });
});

describe("publicJwk", () => {
  it.each(algorithms)("is the same for both halves of an %s key, and has nothing private", (alg) => {
    const key = testSigningKey(alg, "sign");
    const jwk = publicJwk(key, "k1", alg);
    expect(jwk).toEqual(publicJwk(createPublicKey(key), "k1", alg));
    expect(jwk).toMatchObject({ kid: "k1", alg, use: "sig" });
    expect(parseJwks(JSON.stringify({ keys: [jwk] })).keys).toHaveLength(1);
  });

  it("refuses a key that does not fit, and a secret", () => {
    expect(codeOf(() => publicJwk(testSigningKey("ES256", "sign"), "k1", "RS256"))).toBe("key-unsuitable");
    expect(codeOf(() => publicJwk(createSecretKey(Buffer.alloc(32)), "k1", "RS256"))).toBe("key-unsuitable");
  });
});

describe("decodeJwtUnverified", () => {
  it("throws a code for what is no token", () => {
    expect(codeOf(() => decodeJwtUnverified("a.b.c"))).toBe("token-malformed");
    expect(codeOf(() => decodeJwtUnverified("a".repeat(20_000)))).toBe("token-too-large");
  });
});

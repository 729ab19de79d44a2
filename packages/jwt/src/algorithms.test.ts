import { constants, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { FakeClock } from "@signet/runtime/testing";
import { SignJWT } from "jose";
import { describe, expect, it } from "vitest";
import { algorithmsOf, type JwtAlgorithm, jwtAlgorithms, schemeOf } from "./algorithms.ts";
import { decodeJwtUnverified } from "./decode-jwt.ts";
import type { JwksSource, KeyLookup } from "./issuer.ts";
import type { SigningAlgorithm } from "./sign-jwt.ts";
import { fakeJwksSource, testIssuer, testSigningKey } from "./testing.ts";
import { createVerificationKey } from "./verification-key.ts";
import { createJwtVerifier } from "./verify-jwt.ts";

const clock = new FakeClock(new Date("2026-06-01T12:00:00Z"));
const trusted = testIssuer({ issuer: "https://issuer.example", clock });

function checkerOf(keys: JwksSource): (token: string) => Promise<string> {
  const issuers = [{ issuer: keys.issuer, audiences: ["istio-ca"], keys }];
  const verifier = createJwtVerifier({ issuers, clockSkewSeconds: 60 }, clock);
  return async (token) => {
    const result = await verifier.verify(token, new AbortController().signal);
    return result.kind === "verified" ? "verified" : result.code;
  };
}

describe("algorithms", () => {
  const keys: Readonly<Record<string, KeyObject>> = {
    rsa: testSigningKey("RS256", "algorithms"),
    "P-256": generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey,
    "P-384": generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey,
    "P-521": generateKeyPairSync("ec", { namedCurve: "P-521" }).privateKey,
    ed25519: generateKeyPairSync("ed25519").privateKey,
    "ML-DSA-44": generateKeyPairSync("ml-dsa-44").privateKey,
    "ML-DSA-65": generateKeyPairSync("ml-dsa-65").privateKey,
    "ML-DSA-87": generateKeyPairSync("ml-dsa-87").privateKey,
  };
  const source = fakeJwksSource({
    issuer: trusted.issuer,
    keys: Object.entries(keys).map(([kid, key]) => createVerificationKey({ key, kid })),
  });
  const check = checkerOf(source);

  it.each<[JwtAlgorithm, string]>([
    ["RS256", "rsa"],
    ["RS384", "rsa"],
    ["RS512", "rsa"],
    ["PS256", "rsa"],
    ["PS384", "rsa"],
    ["PS512", "rsa"],
    ["ES256", "P-256"],
    ["ES384", "P-384"],
    ["ES512", "P-521"],
    ["EdDSA", "ed25519"],
    ["Ed25519", "ed25519"],
    ["ML-DSA-44", "ML-DSA-44"],
    ["ML-DSA-65", "ML-DSA-65"],
    ["ML-DSA-87", "ML-DSA-87"],
  ])("verifies an %s token that jose signed, and not under another algorithm", async (alg, kid) => {
    const key = keys[kid];
    if (key === undefined) throw new Error(`no key ${kid}`);
    const claims = decodeJwtUnverified(trusted.sign()).claims;
    const token = await new SignJWT({ ...claims }).setProtectedHeader({ alg, kid }).sign(key);
    expect(await check(token)).toBe("verified");
    const [, payload, signature] = token.split(".");
    for (const other of jwtAlgorithms) {
      // Two names of one algorithm.
      if (other === alg || (kid === "ed25519" && other.startsWith("Ed"))) continue;
      const relabelled = `${Buffer.from(JSON.stringify({ alg: other, kid })).toString("base64url")}.${payload}.${signature}`;
      expect(["key-unsuitable", "signature-invalid"]).toContain(await check(relabelled));
    }
  });

  it.each<SigningAlgorithm>(["RS256", "ES256", "EdDSA"])("verifies what testIssuer signs with %s", async (alg) => {
    const issuer = testIssuer({ issuer: "https://other.example", alg, clock });
    expect(await checkerOf(issuer.keys)(issuer.sign())).toBe("verified");
  });

  it("refuse an RSA-PSS salt of another length than the digest's", async () => {
    const key = testSigningKey("RS256", "algorithms");
    const input = [{ alg: "PS256", kid: "rsa" }, decodeJwtUnverified(trusted.sign()).claims]
      .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
      .join(".");
    const signedWith = (saltLength: number): string =>
      sign("sha256", Buffer.from(input), { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength }).toString(
        "base64url",
      );
    expect(await check(`${input}.${signedWith(32)}`)).toBe("verified");
    expect(await check(`${input}.${signedWith(20)}`)).toBe("signature-invalid");
  });

  it("are checked once more on the keys that a source finds", async () => {
    const unfit = createVerificationKey({ key: trusted.publicKey, kid: "test", alg: "ES256" });
    const keys = {
      ...trusted.keys,
      find: async (): Promise<KeyLookup> => ({ kind: "found", keys: [{ ...unfit, algorithms: new Set() }] }),
    };
    expect(await checkerOf(keys)(trusted.sign())).toBe("signature-invalid");
  });

  it("fit one kind of key each", () => {
    const fitting = Object.fromEntries(Object.entries(keys).map(([kid, key]) => [kid, [...algorithmsOf(key)]]));
    expect(fitting).toEqual({
      rsa: ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
      "P-256": ["ES256"],
      "P-384": ["ES384"],
      "P-521": ["ES512"],
      ed25519: ["EdDSA", "Ed25519"],
      "ML-DSA-44": ["ML-DSA-44"],
      "ML-DSA-65": ["ML-DSA-65"],
      "ML-DSA-87": ["ML-DSA-87"],
    });
  });

  it("are exactly the asymmetric ones, and no name of Object.prototype", () => {
    expect(jwtAlgorithms.filter((name) => schemeOf(name) === undefined)).toEqual([]);
    const others = ["none", "HS256", "HS384", "HS512", "ES256K", "", "toString", "__proto__", "constructor"];
    expect(others.filter((name) => schemeOf(name) !== undefined)).toEqual([]);
  });
});

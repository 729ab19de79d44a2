import { generateKeyPairSync } from "node:crypto";
import { describe, expect, test } from "vitest";
import { acceptedAlgorithms } from "./algorithms.ts";
import {
  jwkOf,
  keys,
  nowSeconds,
  rule,
  secret,
  secretJwk,
  type TokenOptions,
  tokenOfA,
  verdict,
} from "./test-tokens.ts";

const mlDsa = generateKeyPairSync("ml-dsa-65").privateKey;
// Ed25519 last: Envoy tries it on every token, and ends there.
const keySet = [jwkOf(mlDsa), jwkOf(keys.ec), secretJwk, jwkOf(keys.ed)];
const exp = nowSeconds + 60;
const signed = {
  "ML-DSA-65": tokenOfA({ exp }, { alg: "ML-DSA-65", key: mlDsa }),
  Ed25519: tokenOfA({ exp }, { alg: "Ed25519", key: keys.ed }),
  EdDSA: tokenOfA({ exp }, { alg: "EdDSA", key: keys.ed }),
  ES256: tokenOfA({ exp }),
  HS256: tokenOfA({ exp }, { alg: "HS256", hmac: secret } satisfies TokenOptions),
};
type Signed = keyof typeof signed;

describe("algorithms", () => {
  test.each<["istio" | "strict", readonly string[] | undefined, readonly Signed[]]>([
    ["istio", undefined, ["EdDSA", "ES256", "HS256"]],
    ["strict", undefined, ["ML-DSA-65", "Ed25519", "EdDSA", "ES256"]],
    ["istio", ["ML-DSA-65", "Ed25519"], ["ML-DSA-65", "Ed25519"]],
    ["istio", ["ES256"], ["ES256"]],
    ["istio", ["HS256"], ["HS256"]],
    ["strict", ["HS256", "ES256"], ["ES256"]],
    ["istio", ["none", "constructor"], []],
    ["istio", [], []],
  ])("profile %s, option %j: %j", async (profile, algorithms, expected) => {
    const options = { maxRememberedTokens: 0, ...(algorithms === undefined ? {} : { algorithms }) };
    const accepted: string[] = [];
    for (const [name, bearer] of Object.entries(signed)) {
      const request = { bearer, profile, options };
      const code = await verdict([rule({ keySet })], request);
      if (code === "a/alice") accepted.push(name);
      else expect(code).toBe("algorithm-unsupported");
    }
    expect(accepted).toEqual(expected);
  });

  test("an ML-DSA signature is of its own parameter set", async () => {
    const other = generateKeyPairSync("ml-dsa-44").privateKey;
    const relabelled = tokenOfA({ exp }, { alg: "ML-DSA-65", key: other });
    expect(await verdict([rule({ keySet })], { bearer: relabelled, profile: "strict" })).toBe("signature-invalid");
    const options = { algorithms: ["ML-DSA-44", "ML-DSA-65"] };
    expect(await verdict([rule({ keySet: [jwkOf(other)] })], { bearer: relabelled, options })).toBe("key-not-found");
  });

  test("in profile strict a key that does not fit ends no search", async () => {
    const set = [jwkOf(keys.ed), jwkOf(keys.ec), jwkOf(keys.rsa)];
    const bearer = tokenOfA({ exp }, { alg: "RS256", key: keys.rsa });
    expect(await verdict([rule({ keySet: set })], { bearer, profile: "strict" })).toBe("a/alice");
    expect(await verdict([rule({ keySet: set })], { bearer })).toBe("signature-length-invalid");
  });

  test("keys of algorithms that no token may have are none", async () => {
    const request = { bearer: signed["ML-DSA-65"] };
    expect(await verdict([rule({ keySet: [jwkOf(mlDsa)] })], { bearer: signed.ES256 })).toBe("keys-invalid");
    expect(
      await verdict([rule({ keySet: [jwkOf(mlDsa)] })], { ...request, options: { algorithms: ["ML-DSA-65"] } }),
    ).toBe("a/alice");
  });

  test("none is ever among them", () => {
    expect(acceptedAlgorithms("istio", ["none", "HS1", "ES256K"]).size).toBe(0);
  });
});

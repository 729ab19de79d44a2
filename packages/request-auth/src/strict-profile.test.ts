import { describe, expect, test } from "vitest";
import {
  jwkOf,
  keys,
  nowSeconds,
  rule,
  secret,
  secretJwk,
  type TestRequest,
  type TokenOptions,
  tokenOfA,
  verdict,
} from "./test-tokens.ts";

const exp = nowSeconds + 600;
const good = tokenOfA({ exp });

function bearer(options: TokenOptions, claims: object = {}): TestRequest {
  return { bearer: tokenOfA({ exp, ...claims }, options) };
}

describe("profile strict", () => {
  test.each<[string, TestRequest, string]>([
    ["good", { bearer: good }, "a/alice"],
    ["exp missing", { bearer: tokenOfA() }, "expiry-missing"],
    ["exp 0", { bearer: tokenOfA({ exp: 0 }) }, "expiry-missing"],
    ["crit", bearer({ header: { crit: ["b64"], b64: false } }), "critical-header-unsupported"],
    ["HS256", bearer({ alg: "HS256", hmac: secret }), "algorithm-unsupported"],
    ["too long", bearer({}, { x: "x".repeat(20_000) }), "token-too-large"],
    ["nesting of 40", bearer({ rawPayload: `{"x":${"[".repeat(40)}${"]".repeat(40)}}` }), "payload-json-invalid"],
    ["stray dots", { bearer: `${good}.` }, "token-not-canonical"],
    [
      "stray bits",
      { bearer: good.replace(/^[^.]+/, `${Buffer.from('{"alg":"ES256"} ').toString("base64url").slice(0, -1)}B`) },
      "header-encoding-invalid",
    ],
    ["padding", { bearer: `${good}==` }, "signature-encoding-invalid"],
    ["junk before the scheme", { headers: [["authorization", `x Bearer ${good}`]] }, "anonymous"],
    ["junk before the token", { headers: [["authorization", `Bearer  ${good}`]] }, "header-encoding-invalid"],
    ["ES384 with a key of P-256", bearer({ alg: "ES384", digest: "sha384" }), "key-not-found"],
  ])("%s", async (_name, request, expected) => {
    expect(await verdict([rule()], { ...request, profile: "strict" })).toBe(expected);
  });

  test.each<[string, object, TokenOptions]>([
    ["symmetric", secretJwk, { alg: "RS256", hmac: secret }],
    ["RSA of 1024 bits", jwkOf(keys.smallRsa), { alg: "RS256", key: keys.smallRsa }],
    ["for encryption", jwkOf(keys.ec, { use: "enc" }), {}],
    ["not for verification", jwkOf(keys.ec, { key_ops: ["sign"] }), {}],
    ["private", keys.ec.export({ format: "jwk" }), {}],
  ])("a key that is no good: %s", async (_name, jwk, options) => {
    expect(await verdict([rule({ keySet: [jwk] })], { ...bearer(options), profile: "strict" })).toBe("keys-invalid");
  });
});

import { describe, expect, test } from "vitest";
import { bodyOf } from "./errors.ts";
import { ask, nowSeconds, rule, type TokenOptions, tokenOfA, verdict } from "./test-tokens.ts";

const rules = [rule({ audiences: ["https://svc/", "plain"] })];

function ofA(claims: object, options: TokenOptions = {}): string {
  return tokenOfA({ aud: "svc", ...claims }, options);
}

const [headerPart = "", payloadPart = "", signaturePart = ""] = ofA({}).split(".");

describe("section 4.4: the order of the checks, their texts and status", () => {
  test.each<[string, string, string]>([
    ["good", ofA({}), "a/alice"],
    ["two parts", `${headerPart}.${payloadPart}`, "token-malformed"],
    ["four parts", `${ofA({})}.x`, "token-malformed"],
    ["stray dots are passed over", `..${headerPart}...${payloadPart}.${signaturePart}..`, "a/alice"],
    ["header not base64url", `e+.${payloadPart}.${signaturePart}`, "header-encoding-invalid"],
    ["header of one letter", `e.${payloadPart}.${signaturePart}`, "header-encoding-invalid"],
    ["header not JSON", ofA({}, { rawHeader: "{" }), "header-json-invalid"],
    ["header a list", ofA({}, { rawHeader: "[]" }), "header-json-invalid"],
    ["alg missing", ofA({}, { rawHeader: "{}" }), "algorithm-invalid"],
    ["alg a number", ofA({}, { rawHeader: '{"alg":1}' }), "algorithm-invalid"],
    ["alg none", ofA({}, { alg: "none" }), "algorithm-unsupported"],
    ["alg in another case", ofA({}, { alg: "es256" }), "algorithm-unsupported"],
    ["alg inherited", ofA({}, { alg: "constructor" }), "algorithm-unsupported"],
    ["kid a number", ofA({}, { header: { kid: 1 } }), "key-id-invalid"],
    ["payload not base64url", `${headerPart}.e+.${signaturePart}`, "payload-encoding-invalid"],
    ["payload not JSON", ofA({}, { rawPayload: "{" }), "payload-json-invalid"],
    ["iss a number", ofA({ iss: 1 }), "issuer-invalid"],
    ["sub null", ofA({ sub: null }), "subject-invalid"],
    ["iat text", ofA({ iat: "1" }), "issued-at-invalid"],
    ["iat negative", ofA({ iat: -1 }), "issued-at-out-of-range"],
    ["nbf text", ofA({ nbf: "1" }), "not-before-invalid"],
    ["nbf of 65 bits", ofA({ nbf: 2 ** 64 }), "not-before-out-of-range"],
    ["exp null", ofA({ exp: null }), "expiry-invalid"],
    ["exp of 65 bits", ofA({ exp: 2 ** 64 }), "expiry-out-of-range"],
    ["jti a number", ofA({ jti: 1 }), "token-id-invalid"],
    ["aud a number", ofA({ aud: 1 }), "audience-invalid"],
    ["aud a list with a number", ofA({ aud: ["svc", 1] }), "audience-invalid"],
    ["signature not base64url", `${headerPart}.${payloadPart}.e+`, "signature-encoding-invalid"],
    ["issuer unknown", ofA({ iss: "z" }), "issuer-unknown"],
    ["issuer missing", ofA({ iss: undefined }), "issuer-unknown"],
    ["nbf within the skew", ofA({ nbf: nowSeconds + 60 }), "a/alice"],
    ["nbf beyond the skew", ofA({ nbf: nowSeconds + 61 }), "token-not-yet-valid"],
    ["exp within the skew", ofA({ exp: nowSeconds - 60 }), "a/alice"],
    ["exp beyond the skew", ofA({ exp: nowSeconds - 61 }), "token-expired"],
    ["exp missing", ofA({}), "a/alice"],
    ["exp 0 means none", ofA({ exp: 0 }), "a/alice"],
    ["exp of half a second means none", ofA({ exp: 0.5 }), "a/alice"],
    ["iat is not compared", ofA({ iat: nowSeconds + 9999 }), "a/alice"],
    ["aud with a scheme and a slash", ofA({ aud: ["x", "http://plain/"] }), "a/alice"],
    ["aud missing", ofA({ aud: undefined }), "audience-mismatch"],
    ["aud of somebody else", ofA({ aud: "other" }), "audience-mismatch"],
    ["key id unknown, and the key has none", ofA({}, { header: { kid: "k" } }), "a/alice"],
    [
      "signature of another message",
      `${headerPart}.${payloadPart}.${ofA({ x: 1 }).split(".")[2]}`,
      "signature-invalid",
    ],
    // An expired forgery is called expired: times come before audience, audience before the signature.
    ["expired, for another, forged", `${ofA({ exp: 1, aud: "x" }).slice(0, -8)}AAAAAAAA`, "token-expired"],
    ["for another, forged", `${ofA({ aud: "x" }).slice(0, -8)}AAAAAAAA`, "audience-mismatch"],
    ["of an unknown issuer, expired", ofA({ iss: "z", exp: 1 }), "issuer-unknown"],
    ["of an unknown issuer, signature not base64url", `${ofA({ iss: "z" })}+`, "signature-encoding-invalid"],
  ])("%s", async (_name, bearer, expected) => {
    expect(await verdict(rules, { bearer })).toBe(expected);
  });

  test("a refusal carries status, text and challenge", async () => {
    expect(await ask(rules, { bearer: "bad", path: "/cart?x=1" })).toEqual({
      kind: "rejected",
      code: "token-malformed",
      status: 401,
      body: "Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections",
      wwwAuthenticate: 'Bearer realm="https://shop.example/cart?x=1", error="invalid_token"',
    });
  });

  test("an audience that does not match is forbidden, everything else unauthenticated", async () => {
    expect(await ask(rules, { bearer: ofA({ aud: "x" }) })).toMatchObject({
      status: 403,
      body: bodyOf["audience-mismatch"],
      rule: { issuer: "a" },
    });
    expect(await ask(rules, { bearer: ofA({ exp: 1 }) })).toMatchObject({ status: 401, body: "Jwt is expired" });
  });

  test("the realm is the path before a proxy rewrote it", async () => {
    const result = await ask(rules, { bearer: "bad", path: "/inner", headers: [["X-Envoy-Original-Path", "/outer"]] });
    expect(result).toMatchObject({
      wwwAuthenticate: 'Bearer realm="https://shop.example/outer", error="invalid_token"',
    });
  });

  test("the realm repeats 256 characters of the path, and no control characters", async () => {
    const result = await ask(rules, { bearer: "bad", path: `/\r\n${"a".repeat(400)}` });
    const realm = `https://shop.example/${"a".repeat(253)}`;
    expect(result).toMatchObject({ wwwAuthenticate: `Bearer realm="${realm}", error="invalid_token"` });
  });
});

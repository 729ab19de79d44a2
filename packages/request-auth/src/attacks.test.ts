import { createSecretKey } from "node:crypto";
import { describe, expect, test } from "vitest";
import { authenticateRequest } from "./authenticate-request.ts";
import { compileJwtRules } from "./compile-jwt-rules.ts";
import {
  clock,
  fullRequest,
  jwkOf,
  keys,
  noKeys,
  rule,
  ruleOfB,
  type TokenOptions,
  token,
  tokenOfA,
  tokenOfB,
  verdict,
} from "./test-tokens.ts";

const nested = (depth: number): string => `{"iss":"a","sub":"alice","x":${"[".repeat(depth)}${"]".repeat(depth)}}`;

describe("attacks on the token", () => {
  test.each<[string, TokenOptions, string]>([
    ["a key in the header", { key: keys.otherEc, header: { jwk: jwkOf(keys.otherEc) } }, "signature-invalid"],
    [
      "keys at a place in the header",
      { key: keys.otherEc, header: { jku: "https://evil", x5u: "https://evil" } },
      "signature-invalid",
    ],
    ["a certificate in the header", { key: keys.otherEc, header: { x5c: ["MIIB"] } }, "signature-invalid"],
    ["a path as kid", { header: { kid: "../../dev/null" } }, "key-not-found"],
    ["a name of objects as kid", { header: { kid: "__proto__" } }, "key-not-found"],
    ["a query as kid", { header: { kid: "' OR 1=1 --" } }, "key-not-found"],
    ["an empty signature", { signature: () => Buffer.alloc(0) }, "token-malformed"],
    ["duplicate members", { rawPayload: '{"iss":"a","sub":"alice","sub":"admin"}' }, "payload-json-invalid"],
    [
      "duplicate members, one escaped",
      { rawPayload: '{"iss":"a","sub":"alice","\\u0073ub":"admin"}' },
      "payload-json-invalid",
    ],
    ["duplicate members deep inside", { rawPayload: '{"iss":"a","x":[{"a":":","a":1}]}' }, "payload-json-invalid"],
    ["duplicate alg", { rawHeader: '{"alg":"ES256","alg":"none"}' }, "header-json-invalid"],
    [
      "no duplicate: colons and quotes in text",
      { rawPayload: '{"iss":"a","sub":"alice","a\\":":"\\\\","b":"{\\":"}' },
      "a/alice",
    ],
    ["nesting of 99", { rawPayload: nested(99) }, "a/alice"],
    ["nesting of 100", { rawPayload: nested(100) }, "payload-json-invalid"],
    ["nesting of 10,000", { rawPayload: nested(10_000) }, "payload-json-invalid"],
    ["a number beyond doubles", { rawPayload: '{"iss":"a","sub":"alice","exp":1e999}' }, "payload-json-invalid"],
    ["such a number deep inside", { rawPayload: '{"iss":"a","sub":"alice","x":[-1e999]}' }, "payload-json-invalid"],
    [
      "octets that are not UTF-8",
      { rawPayload: Buffer.from('{"iss":"a","sub":"al\xffice"}', "latin1") },
      "payload-json-invalid",
    ],
    ["half a surrogate pair", { rawPayload: '{"iss":"a","sub":"\\ud800"}' }, "payload-json-invalid"],
    [
      "a billion claims' little sister",
      { rawPayload: `{"iss":"a","sub":"alice"${',"c":1'.repeat(20_000)}}` },
      "payload-json-invalid",
    ],
    [
      "many audiences",
      { rawPayload: JSON.stringify({ iss: "a", sub: "alice", aud: Array(20_000).fill("x") }) },
      "a/alice",
    ],
    ["members that every object inherits", { rawPayload: '{"__proto__":{"iss":"a","sub":"alice"}}' }, "issuer-unknown"],
  ])("%s", async (_name, options, expected) => {
    const rules = [rule({ keySet: [jwkOf(keys.ec, options.header && "kid" in options.header ? { kid: "k" } : {})] })];
    expect(await verdict(rules, { bearer: tokenOfA({}, options) })).toBe(expected);
  });

  test.each(["none", "None", "NONE", "nOnE", "", " ES256", "ES256\u0000", "ES256K", "HS1", "toString"])(
    "alg %j",
    async (alg) => {
      const unsigned = tokenOfA({}, { alg }).split(".").slice(0, 2).join(".");
      expect(await verdict([rule()], { bearer: tokenOfA({}, { alg }) })).toBe("algorithm-unsupported");
      expect(await verdict([rule()], { bearer: `${unsigned}.` })).toBe("token-malformed");
    },
  );

  test.each<[string, string]>([
    ["10,000 dots", ".".repeat(10_000)],
    ["10,000 parts", "a.".repeat(10_000)],
    ["a megabyte of letters", "a".repeat(1 << 20)],
    ["a megabyte of spaces", " ".repeat(1 << 20)],
  ])("%s", async (_name, text) => {
    expect(await verdict([rule({ fromHeaders: [{ name: "x-t", prefix: "" }] })], { headers: [["x-t", text]] })).toBe(
      "token-malformed",
    );
  });

  test.each(["&", "=", ";", "&access_token", "%", "%2", "+"])("a query and cookies of many %j", async (piece) => {
    const text = piece.repeat(100_000);
    const rules = [rule({ fromParams: ["q"], fromCookies: ["s"] })];
    expect(await verdict(rules, { path: `/?${text}`, headers: [["cookie", text]] })).toBe("anonymous");
  });

  test("time grows with the size of a token and no faster: many members, deep nesting, many escapes, long numbers", async () => {
    const shapes: readonly ((size: number) => string)[] = [
      (size) => `{${Array.from({ length: size }, (_, n) => `"c${n}":${n}`).join()}}`,
      (size) => `{"a":${"[".repeat(size)}${"]".repeat(size)}}`,
      (size) => `{"a":"${"\\u0061".repeat(size)}"}`,
      (size) => `{"a":"${'\\"'.repeat(size)}"}`,
      (size) => `{"a":${"9".repeat(size)}}`,
      (size) => `{"a":[${'{"b":1},'.repeat(size)}0]}`,
      (size) => `{"a":"${": ".repeat(size)}"}`,
    ];
    for (const shape of shapes) {
      const payload = Buffer.from(shape(50_000)).toString("base64url");
      const { user: before } = process.cpuUsage();
      for (const profile of ["istio", "strict"] as const) {
        expect(await verdict([rule()], { bearer: `e30.${payload}.AA`, profile })).not.toBe("a/alice");
        expect(await verdict([rule()], { bearer: `eyJhbGciOiJFUzI1NiJ9.${payload}.AA`, profile })).not.toBe("a/alice");
      }
      // A second would be a thousand times what it takes, and a square of it hours.
      expect(process.cpuUsage().user - before).toBeLessThan(5_000_000);
    }
  });

  test("a header that was seen in a good token makes no other token good", async () => {
    const rules = compileJwtRules([rule(), ruleOfB()]);
    const ask = (bearer: string) =>
      authenticateRequest(rules, fullRequest({ bearer }), { keysOf: noKeys, clock }, new AbortController().signal);
    for (let n = 0; n < 3; n++) expect(await ask(tokenOfA())).toMatchObject({ principal: "a/alice" });
    const forged = token({ iss: "b", sub: "admin" }, { key: keys.ec });
    expect(forged.split(".")[0]).toBe(tokenOfA().split(".")[0]);
    expect(await ask(forged)).toMatchObject({ code: "signature-invalid" });
  });

  test("a token of A is not one of B, whatever it says it is", async () => {
    const rules = [rule(), ruleOfB()];
    expect(await verdict(rules, { bearer: token({ iss: "b", sub: "bob" }, { key: keys.ec }) })).toBe(
      "signature-invalid",
    );
    expect(await verdict(rules, { bearer: token({ iss: "a", sub: "alice" }, { key: keys.otherEc }) })).toBe(
      "signature-invalid",
    );
    expect(await verdict(rules, { bearer: tokenOfB() })).toBe("b/bob");
  });

  test("a public key is never a secret, and a secret never a public key", async () => {
    const spki = Buffer.from(createSecretKey(Buffer.from(JSON.stringify(jwkOf(keys.ec)))).export());
    expect(await verdict([rule()], { bearer: tokenOfA({}, { alg: "HS256", hmac: spki }) })).toBe("signature-invalid");
  });

  test("parts of two good tokens make no third", async () => {
    const [header = "", payload = ""] = tokenOfA({ sub: "admin" }).split(".");
    const [, , signature = ""] = tokenOfA().split(".");
    expect(await verdict([rule()], { bearer: `${header}.${payload}.${signature}` })).toBe("signature-invalid");
  });
});

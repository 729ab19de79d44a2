import { createPublicKey } from "node:crypto";
import { createVerificationKey } from "@signet/jwt";
import { fakeJwksSource } from "@signet/jwt/testing";
import { describe, expect, test } from "vitest";
import { keysFromSources } from "./rule-keys.ts";
import { ask, jwkOf, keys, noKeys, rule, ruleOfB, tokenOfA, tokenOfB, verdict } from "./test-tokens.ts";

const remote = rule({ jwksUri: "https://a/jwks" });
const key = createVerificationKey({ key: createPublicKey(keys.ec), kid: "k1" });

function fromSource(): { source: ReturnType<typeof fakeJwksSource>; keysOf: ReturnType<typeof keysFromSources> } {
  const source = fakeJwksSource({ issuer: "a", keys: [key] });
  return { source, keysOf: keysFromSources(({ issuer }) => (issuer === "a" ? source : undefined)) };
}

describe("keys that are fetched", () => {
  test("a token by one of them is accepted", async () => {
    const { keysOf } = fromSource();
    expect(await verdict([remote], { bearer: tokenOfA(), keysOf })).toBe("a/alice");
    expect(await verdict([remote], { bearer: tokenOfA({}, { header: { kid: "k1" } }), keysOf })).toBe("a/alice");
  });

  test.each([
    ["unknown kid", tokenOfA({}, { header: { kid: "k2" } }), "key-not-found"],
    ["no key for the algorithm", tokenOfA({}, { alg: "RS256", key: keys.rsa }), "key-not-found"],
    ["symmetric", tokenOfA({}, { alg: "HS256", hmac: "x" }), "key-not-found"],
    ["curve of another algorithm", tokenOfA({}, { alg: "ES384", digest: "sha384" }), "key-not-found"],
    ["another key's signature", tokenOfA({}, { key: keys.otherEc }), "signature-invalid"],
  ])("%s", async (_name, bearer, expected) => {
    expect(await verdict([remote], { bearer, keysOf: fromSource().keysOf })).toBe(expected);
  });

  test("an outage refuses, and never opens", async () => {
    const { source, keysOf } = fromSource();
    source.fail("stalls");
    expect(await ask([remote], { bearer: tokenOfA(), keysOf })).toMatchObject({
      status: 401,
      body: "Jwks remote fetch is failed",
    });
    expect(
      await verdict(
        [ruleOfB({ jwksUri: "https://b/jwks" })].map(({ jwks, ...others }) => others),
        { bearer: tokenOfB(), keysOf },
      ),
    ).toBe("keys-unavailable");
  });

  test("an outage of one issuer is none of another", async () => {
    expect(await verdict([remote, ruleOfB()], { bearer: tokenOfB(), keysOf: noKeys })).toBe("b/bob");
    expect(await verdict([remote, ruleOfB()], { bearer: tokenOfA(), keysOf: noKeys })).toBe("keys-unavailable");
  });

  test("a token that is refused anyway asks for no keys", async () => {
    const asked: string[] = [];
    const keysOf: typeof noKeys = async ({ issuer }) => {
      asked.push(issuer);
      return { kind: "keys", keys: [] };
    };
    for (const bearer of ["bad", tokenOfA({ exp: 1 }), tokenOfA({ iss: "z" })]) await ask([remote], { bearer, keysOf });
    expect(asked).toEqual([]);
    await ask([remote], { bearer: tokenOfA(), keysOf });
    expect(asked).toEqual(["a"]);
  });

  test("a JWKS in the rule wins over a place", async () => {
    const two = { ...rule(), jwksUri: "https://a/jwks" };
    expect(await verdict([two], { bearer: tokenOfA(), keysOf: noKeys })).toBe("a/alice");
    expect(await verdict([{ ...two, jwks: "" }], { bearer: tokenOfA(), keysOf: fromSource().keysOf })).toBe(
      "keys-invalid",
    );
    expect(JSON.stringify(jwkOf(keys.ec))).not.toContain('"d"');
  });

  test("one token is put to the rules of its issuer alone, among a thousand", async () => {
    const asked: string[] = [];
    const keysOf: typeof noKeys = async ({ issuer }) => {
      asked.push(issuer);
      return { kind: "unavailable", detail: "" };
    };
    const many = Array.from({ length: 1000 }, (_, at) => rule({ issuer: `https://${at}`, jwksUri: "https://x/jwks" }));
    expect(await verdict(many, { bearer: tokenOfA({ iss: "https://500" }), keysOf })).toBe("keys-unavailable");
    expect(asked).toEqual(["https://500"]);
  });
});

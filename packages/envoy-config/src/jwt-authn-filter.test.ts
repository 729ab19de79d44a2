import { createHash, createPublicKey } from "node:crypto";
import { compileJwtRules } from "@signet/request-auth";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { failClosedJwks } from "./fail-closed-jwks.ts";
import { type JwtAuthnOptions, jwtAuthnFilter } from "./jwt-authn-filter.ts";
import { jwtRule, keylessRule, testJwks } from "./test-rules.ts";

/** What `jwt_authn` is told, to look into with `toEqual`. */
function configOf(rules: Parameters<typeof jwtAuthnFilter>[0], options: JwtAuthnOptions = {}): unknown {
  return jwtAuthnFilter(rules, options).filters[0]?.typedConfig;
}

/** The provider that one rule makes. */
function providerOf(fields: Parameters<typeof jwtRule>[0], options: JwtAuthnOptions = {}): unknown {
  return Object.entries(Object(configOf([jwtRule(fields)], options)).providers).at(0)?.[1];
}

const bare = {
  issuer: "https://issuer.example",
  localJwks: { inlineString: testJwks },
  payloadInMetadata: "payload",
  normalizePayloadInMetadata: { spaceDelimitedClaims: ["permission", "scope"] },
};

describe("the filter", () => {
  test("of no rules is none", () => {
    expect(jwtAuthnFilter([])).toEqual({ filters: [], warnings: [] });
  });

  test("of one rule asks for its token or none", () => {
    const any = { requirements: [{ providerName: "origins-0" }, { allowMissing: {} }] };
    expect(jwtAuthnFilter([jwtRule()])).toEqual({
      filters: [
        {
          name: "envoy.filters.http.jwt_authn",
          typedConfig: {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
            providers: { "origins-0": bare },
            rules: [{ match: { prefix: "/" }, requires: { requiresAny: any } }],
            bypassCorsPreflight: true,
          },
        },
      ],
      warnings: [],
    });
  });

  test("of several rules asks for any token, or for none that is wrong at any place", () => {
    const orMissing = (providerName: string): object => ({
      requiresAny: { requirements: [{ providerName }, { allowMissing: {} }] },
    });
    expect(configOf([jwtRule({ issuer: "b" }), jwtRule({ issuer: "a" })])).toMatchObject({
      providers: { "origins-0": { issuer: "a" }, "origins-1": { issuer: "b" } },
      rules: [
        {
          match: { prefix: "/" },
          requires: {
            requiresAny: {
              requirements: [
                { providerName: "origins-0" },
                { providerName: "origins-1" },
                { requiresAll: { requirements: [orMissing("origins-0"), orMissing("origins-1")] } },
              ],
            },
          },
        },
      ],
    });
  });

  test("has its providers in the order in which request-auth asks its rules", () => {
    const issuers = fc.array(fc.constantFrom("", "a", "b", "é", "Z", "https://a"), { maxLength: 14 });
    fc.assert(
      fc.property(issuers, (names) => {
        const rules = names.map((issuer, index) => jwtRule({ issuer, audiences: [`${index}`] }));
        const { providers = {} } = Object(configOf(rules));
        const asked = compileJwtRules(rules).rules;
        expect(Object.keys(providers)).toEqual(asked.map((_, index) => `origins-${index}`));
        expect(Object.values(providers).map((provider) => Object(provider).audiences)).toEqual(
          asked.map(({ audiences }) => audiences),
        );
      }),
      { seed: 7, numRuns: 200 },
    );
  });
});

describe("a provider", () => {
  test.each<[string, Parameters<typeof jwtRule>[0], JwtAuthnOptions, object]>([
    ["audiences", { audiences: ["x", "y"] }, {}, { audiences: ["x", "y"] }],
    ["forwardOriginalToken", { forwardOriginalToken: true }, {}, { forward: true }],
    ["outputPayloadToHeader", { outputPayloadToHeader: "x-jwt" }, {}, { forwardPayloadHeader: "x-jwt" }],
    [
      "fromHeaders",
      {
        fromHeaders: [
          { name: "x-a", prefix: "" },
          { name: "x-b", prefix: "T " },
        ],
      },
      {},
      { fromHeaders: [{ name: "x-a" }, { name: "x-b", valuePrefix: "T " }] },
    ],
    ["fromParams", { fromParams: ["token"] }, {}, { fromParams: ["token"] }],
    ["fromCookies", { fromCookies: ["session"] }, {}, { fromCookies: ["session"] }],
    [
      "outputClaimToHeaders",
      { outputClaimToHeaders: [{ header: "x-user", claim: "a.b" }] },
      {},
      { claimToHeaders: [{ headerName: "x-user", claimName: "a.b" }] },
    ],
    [
      "spaceDelimitedClaims, each once and sorted",
      { spaceDelimitedClaims: ["zones", "scope", "groups"] },
      {},
      { normalizePayloadInMetadata: { spaceDelimitedClaims: ["groups", "permission", "scope", "zones"] } },
    ],
    ["a gateway", {}, { clearRouteCache: true }, { clearRouteCache: true }],
  ])("has %s", (_name, fields, options, expected) => {
    expect(providerOf(fields, options)).toEqual({ ...bare, ...expected });
  });

  test("without an issuer names none", () => {
    expect(providerOf({ issuer: "" })).not.toHaveProperty("issuer");
  });

  test.each([
    ["a header that Envoy refuses", [{ name: "x\n", prefix: "" }]],
    ["a prefix that Envoy refuses", [{ name: "x", prefix: "a\0" }]],
  ])("that looks at %s alone looks nowhere, and not at the default places", (_name, fromHeaders) => {
    expect(providerOf({ fromHeaders })).toEqual({ ...bare, fromCookies: ["="] });
    expect(providerOf({ fromHeaders, fromParams: ["t"] })).toEqual({ ...bare, fromParams: ["t"] });
  });
});

describe("keys", () => {
  const refused = { localJwks: { inlineString: failClosedJwks } };
  const keyless = keylessRule({ jwksUri: "https://keys.example/jwks" });
  const issuer = '"https://issuer.example"';

  test("that the caller has are inlined, and those of the rule win", () => {
    const jwksOf = (): string => testJwks.replace('"kty"', '"kid":"other","kty"');
    expect(jwtAuthnFilter([keyless], { jwksOf })).toMatchObject({
      filters: [{ typedConfig: { providers: { "origins-0": { localJwks: { inlineString: jwksOf() } } } } }],
      warnings: [],
    });
    expect(providerOf({}, { jwksOf, jwksFetchedBy: "envoy" })).toEqual(bare);
  });

  test.each<[string, string | undefined, string]>([
    ["no keys at all", undefined, "no keys are given for it"],
    ["an empty list", '{"keys":[]}', "its JWKS has no key that can be used"],
    ["an empty text", "", "its JWKS has no key that can be used"],
    ["no JSON", "keys", "its JWKS has no key that can be used"],
    ["a single key", JSON.stringify(JSON.parse(testJwks).keys[0]), "its JWKS has no key that can be used"],
    [
      "a key for what Envoy does not know",
      testJwks.replace('{"kty"', '{"alg":"Ed25519","kty"'),
      "its JWKS has no key that can be used",
    ],
    ["a broken key", '{"keys":[{"kty":"RSA","n":"","e":"AQAB"}]}', "its JWKS has no key that can be used"],
  ])("%s refuse every token, and say so", (_name, jwks, why) => {
    const { filters, warnings } = jwtAuthnFilter([keyless], { jwksOf: () => jwks, jwksFetchedBy: "nobody" });
    expect(filters).toMatchObject([{ typedConfig: { providers: { "origins-0": refused } } }]);
    expect(warnings).toEqual([`every token of issuer ${issuer} will be refused: ${why}`]);
  });

  test.each([
    ["https://keys.example/jwks?a=b", "outbound|443||keys.example"],
    ["http://keys.ns.svc.cluster.local/jwks", "outbound|80||keys.ns.svc.cluster.local"],
    ["https://keys.example:8443/jwks", "outbound|8443||keys.example"],
    ["https://[2001:db8::1]:8443/jwks", "outbound|8443||2001:db8::1"],
  ])("at %s are fetched by Envoy from cluster %s", (jwksUri, cluster) => {
    const warning = `keys of issuer ${issuer} are fetched from cluster ${cluster}, which Envoy must have`;
    expect(jwtAuthnFilter([keylessRule({ jwksUri })]).warnings).toEqual([warning]);
    expect(Object(configOf([keylessRule({ jwksUri })], { jwksFetchedBy: "envoy" })).providers).toMatchObject({
      "origins-0": {
        remoteJwks: { httpUri: { uri: jwksUri, cluster, timeout: "5s" }, cacheDuration: "300s" },
      },
    });
  });

  test.each([
    [1, "0.001s"],
    [1500, "1.5s"],
    [9_000_000_000_000_000, "4294967295s"],
  ])("are waited for %i ms", (timeoutMs, timeout) => {
    const options = { jwksFetchedBy: "envoy" } as const;
    const rule = keylessRule({ jwksUri: "https://keys.example/jwks", timeoutMs });
    expect(configOf([rule], options)).toMatchObject({
      providers: { "origins-0": { remoteJwks: { httpUri: { timeout } } } },
    });
  });

  test("without a jwksUri are not fetched by Envoy", () => {
    const warning = `every token of issuer ${issuer} will be refused: no keys are given for it`;
    expect(jwtAuthnFilter([keylessRule()])).toMatchObject({
      filters: [{ typedConfig: { providers: { "origins-0": refused } } }],
      warnings: [warning],
    });
  });

  test("that are private stay at home", () => {
    const members = { d: "x", p: "x", q: "x", dp: "x", dq: "x", qi: "x", oth: [] };
    const { keys } = JSON.parse(testJwks);
    const secret = { kty: "oct", k: "c2VjcmV0" };
    const jwks = JSON.stringify({ keys: [{ ...keys[0], ...members }, secret] });
    expect(providerOf({ jwks })).toMatchObject({
      localJwks: { inlineString: JSON.stringify({ keys: [keys[0], secret] }) },
    });
  });

  test("of a rule that refuses are on the curve, and made from a sentence", () => {
    const [key] = JSON.parse(failClosedJwks).keys;
    const sentence = "signet: the private key of this point is known to nobody, 0";
    expect(key.x).toBe(createHash("sha256").update(sentence).digest("base64url"));
    expect(createPublicKey({ key, format: "jwk" }).asymmetricKeyDetails).toEqual({ namedCurve: "prime256v1" });
  });
});

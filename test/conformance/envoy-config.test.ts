import type { JwtRule } from "@signet/documents";
import { jwtAuthnFilter } from "@signet/envoy-config";
import { describe, expect, test } from "vitest";
import { findTestEnvoy } from "../e2e/support/envoy.ts";
import { envoyProblems, httpManager } from "./validate-envoy.ts";

const envoy = await findTestEnvoy();

const jwks = '{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}';

const position = { file: "rules.yaml", line: 1, column: 1 };
const plainRule: JwtRule = {
  ...{ issuer: "https://issuer.example", audiences: [], fromHeaders: [], fromParams: [], fromCookies: [] },
  ...{ forwardOriginalToken: false, outputClaimToHeaders: [], timeoutMs: 5000, spaceDelimitedClaims: [], position },
};

describe.skipIf(envoy.path === "")(`a real Envoy ${envoy.version}${envoy.skipped}`, () => {
  test("sees what is wrong with a filter, so that its silence means something", async () => {
    const filter = { name: "x", typedConfig: { "@type": "type.googleapis.com/envoy.no.such.Thing" } };
    const chain = { filters: [httpManager([filter])] };
    expect(await envoyProblems(envoy.path, [{ name: "a", filterChains: [chain] }])).toContain("envoy.no.such.Thing");
  });

  test("takes jwt_authn filters of every field", async () => {
    const odd = "\u0000\r\n\u00e9 =;\"'";
    const rules: readonly JwtRule[] = [
      { ...plainRule, jwks },
      { ...plainRule, issuer: "", jwksUri: "https://keys.example/jwks", timeoutMs: 9e15 },
      { ...plainRule, jwksUri: "http://[::1]:8080/jwks", timeoutMs: 1 },
      plainRule,
      { ...plainRule, jwks: '{"keys":[]}' },
      {
        ...plainRule,
        ...{ issuer: odd, audiences: [odd], fromParams: [odd], fromCookies: [odd], spaceDelimitedClaims: [odd], jwks },
        fromHeaders: [
          { name: "x-a", prefix: "" },
          { name: odd, prefix: odd },
          { name: ":authority", prefix: "Bearer " },
          { name: "x", prefix: odd },
        ],
        outputPayloadToHeader: "x-payload",
        forwardOriginalToken: true,
        outputClaimToHeaders: [{ header: "x-user_1", claim: odd }],
      },
    ];
    const filters = [
      ...rules.map((rule) => jwtAuthnFilter([rule], { clearRouteCache: true })),
      jwtAuthnFilter(rules, { jwksFetchedBy: "envoy" }),
    ].flatMap((translated) => translated.filters);
    const filterChains = filters.map((filter, index) => ({
      filterChainMatch: { destinationPort: index + 1 },
      filters: [httpManager([filter])],
    }));
    const clusters = ["outbound|443||keys.example", "outbound|8080||::1"];
    expect(await envoyProblems(envoy.path, [{ name: "jwt", filterChains }], clusters)).toBe("");
  });
});

import { describe, expect, it } from "vitest";
import { describeProblem } from "./document-problem.ts";
import { parseDocuments } from "./parse-documents.ts";

const head = "apiVersion: security.istio.io/v1\nkind: RequestAuthentication\nmetadata: {name: jwt, namespace: foo}\n";

/** What is said of a RequestAuthentication whose spec, beginning on line 5, is `spec`. */
function problemsOf(spec: string): readonly string[] {
  const { documents, refused } = parseDocuments(`${head}spec:\n  ${spec.replaceAll("\n", "\n  ")}\n`, { file: "f" });
  expect(documents.length + refused.length).toBe(1);
  return refused.flatMap(({ problems }) => problems.map(describeProblem));
}

function warningsOf(spec: string): readonly string[] {
  const parsed = parseDocuments(`${head}spec:\n  ${spec.replaceAll("\n", "\n  ")}\n`, { file: "f" });
  expect(parsed.refused.flatMap(({ problems }) => problems.map(describeProblem))).toEqual([]);
  return parsed.warnings.map(describeProblem);
}

const rule = (fields: string): string => `jwtRules:\n- issuer: example.com\n  ${fields}`;
const inRule = "spec.jwtRules[0]";
const rsa = '{"kty":"RSA","n":"AQ","e":"AQAB"}';
const many = (count: number, item: string): string => `[${Array.from({ length: count }, () => item).join(", ")}]`;

describe("section 6.3 of the rules of validation:", () => {
  const claimText = "outputClaimToHeaders header and claim value must be non-empty string";
  const jwks = (text: string): string => rule(`jwks: '${text}'`);
  it.each<[string, string, string]>([
    [
      "issuer and jwksUri both absent",
      "jwtRules: [{audiences: [a]}]",
      `f:5:14: ${inRule} is not valid: issuer or jwksUri must be non-empty string`,
    ],
    [
      "inline jwks does not help",
      `jwtRules: [{jwks: '{"keys":[${rsa}]}'}]`,
      "issuer or jwksUri must be non-empty string",
    ],
    [
      "empty issuer, as the CRD has it",
      'jwtRules: [{issuer: "", jwksUri: "https://a/"}]',
      `${inRule}.issuer is not valid: should be at least 1 chars long`,
    ],
    [
      "empty audience",
      rule('audiences: [a, ""]'),
      `f:7:20: ${inRule}.audiences[1] is not valid: audience must be non-empty string`,
    ],
    ["audience that is nothing", rule("audiences: [~]"), `${inRule}.audiences[0] is nothing, and not text`],
    [
      "jwksUri without scheme",
      rule("jwksUri: example.com/jwks"),
      `f:7:14: ${inRule}.jwksUri is not valid: URI scheme "" is not supported`,
    ],
    ["jwksUri of another scheme", rule("jwksUri: ftp://example.com/jwks"), 'URI scheme "ftp" is not supported'],
    ["jwksUri as CRD tests have it", rule('jwksUri: "hTPp\\\\\\blah"'), "url must have scheme http:// or https://"],
    ["jwksUri with a bad port", rule("jwksUri: https://example.com:http/"), "parse error: invalid port"],
    ["jwksUri with a port above 65535", rule("jwksUri: https://example.com:65536/"), "parse error: invalid port"],
    ["jwksUri without host", rule("jwksUri: https:///example.com"), "parse error: the URL has no host"],
    ["jwksUri with only a port", rule("jwksUri: https://:443/"), "parse error: the URL has no host"],
    [
      "jwksUri with a backslash",
      rule("jwksUri: https://good.example\\@bad.example/"),
      "parse error: invalid character",
    ],
    ["jwksUri with a space", rule('jwksUri: "https://example.com/ a"'), "parse error: invalid character"],
    ["jwksUri that is no URL otherwise", rule("jwksUri: https://[::g]/"), "parse error: the URL is not valid"],
    ["jwksUri empty", rule('jwksUri: ""'), "should be at least 1 chars long"],
    ["jwksUri of more than 2048", rule(`jwksUri: https://a/${"b".repeat(2_039)}`), "may not be longer than 2048"],
    ["jwks not JSON", jwks("abc"), `f:7:11: ${inRule}.jwks is not valid: jwks parse error: it is no JSON`],
    ["jwks no object", jwks("[]"), "jwks parse error: it is no JSON object"],
    ["jwks of neither keys nor a key", jwks("{}"), "jwks parse error: the key has no kty"],
    ["jwks whose keys are no list", jwks('{"keys": {}}'), "jwks parse error: keys is no list"],
    ["jwks with a null key", jwks('{"keys": [null]}'), "jwks parse error: key 0 is no JSON object"],
    [
      "jwks with a key of unknown type",
      jwks(`{"keys": [${rsa}, {"kty": "XY"}]}`),
      "jwks parse error: key 1 has no kty of",
    ],
    [
      "jwks with a key that lacks a member",
      jwks('{"keys": [{"kty": "EC", "crv": "P-256", "x": "AQ"}]}'),
      "key 0 has no valid y",
    ],
    [
      "jwks with a member that is no base64url",
      jwks('{"keys": [{"kty": "RSA", "n": "A+", "e": "AQAB"}]}'),
      "key 0 has no valid n",
    ],
    [
      "null header location",
      rule("fromHeaders: [~]"),
      `f:7:19: ${inRule}.fromHeaders[0] is not valid: location header name must be non-null`,
    ],
    [
      "header location without name",
      rule("fromHeaders: [{prefix: a}]"),
      "location header name must be non-empty string",
    ],
    [
      "empty header location",
      rule('fromHeaders: [{name: ""}]'),
      `${inRule}.fromHeaders[0].name is not valid: location header name must be non-empty string`,
    ],
    [
      "empty param",
      rule('fromParams: [""]'),
      `${inRule}.fromParams[0] is not valid: location query must be non-empty string`,
    ],
    [
      "empty cookie",
      rule('fromCookies: [""]'),
      `${inRule}.fromCookies[0] is not valid: cookie name must be non-empty string`,
    ],
    ["outputClaimToHeaders null", rule("outputClaimToHeaders: [~]"), "outputClaimToHeaders must not be null"],
    ["outputClaimToHeaders without claim", rule("outputClaimToHeaders: [{header: a}]"), claimText],
    ["outputClaimToHeaders with an empty claim", rule('outputClaimToHeaders: [{header: a, claim: ""}]'), claimText],
    ["outputClaimToHeaders without header", rule("outputClaimToHeaders: [{claim: a}]"), claimText],
    ["outputClaimToHeaders with an empty header", rule('outputClaimToHeaders: [{header: "", claim: a}]'), claimText],
    [
      "outputClaimToHeaders with a bad header",
      rule('outputClaimToHeaders: [{header: ":authority", claim: a}]'),
      "header should match '^[-_A-Za-z0-9]+$'",
    ],
    [
      "timeout below 1 ms",
      rule("timeout: 999us"),
      `f:7:14: ${inRule}.timeout is not valid: duration must be greater than 1ms`,
    ],
    ["timeout below 0", rule("timeout: -5s"), "must be greater than 1ms"],
    ["timeout finer than ms", rule("timeout: 1.5ms"), "only durations to ms precision are supported"],
    ["timeout that is none", rule("timeout: apple"), "must be a valid duration greater than 1ms"],
    ["timeout without a unit", rule('timeout: "5"'), "must be a valid duration greater than 1ms"],
    ["timeout empty", rule('timeout: ""'), "must be a valid duration greater than 1ms"],
    ["timeout above 292 years", rule("timeout: 2562048h"), "must be a valid duration greater than 1ms"],
    ["timeout that is a number", rule("timeout: 5"), "is a number, and not text"],
    [
      "CEL: jwksUri and jwks both",
      rule(`jwksUri: https://a/\n  jwks: '${rsa}'`),
      `f:6:5: ${inRule} is not valid: only one of jwks or jwksUri can be set`,
    ],
    [
      "CEL: jwksUri and jwks_uri both",
      rule("jwksUri: https://a/\n  jwks_uri: https://a/"),
      "only one of jwks or jwksUri can be set",
    ],
    ["a null rule, as the CRD has it", "jwtRules: [~]", `${inRule} is nothing, and not a map`],
    [
      "more than 4096 rules",
      `jwtRules: ${many(4_097, "{issuer: a}")}`,
      "spec.jwtRules is not valid: must have at most 4096 items",
    ],
    ["an empty space-delimited claim", rule('spaceDelimitedClaims: [""]'), "should be at least 1 chars long"],
    [
      "more than 64 space-delimited claims",
      rule(`spaceDelimitedClaims: ${many(65, "a")}`),
      "must have at most 64 items",
    ],
    ["unknown fields of a rule", rule("fromHeader: []"), `${inRule}.fromHeader is not valid: unknown field`],
    ["snake_case but for jwks_uri", rule("from_params: [a]"), `${inRule}.from_params is not valid: unknown field`],
    [
      "unknown fields of a header location",
      rule("fromHeaders: [{name: a, suffix: b}]"),
      `${inRule}.fromHeaders[0].suffix is not valid: unknown field`,
    ],
    [
      "unknown fields of outputClaimToHeaders",
      rule("outputClaimToHeaders: [{header: a, claim: b, typed: true}]"),
      "typed is not valid: unknown field",
    ],
    ["unknown fields of spec", "jwtRule: []", "f:5:12: spec.jwtRule is not valid: unknown field"],
    [
      "outputPayloadToHeader that no request can have",
      rule('outputPayloadToHeader: "a b"'),
      "is the name of no header",
    ],
    [
      "outputPayloadToHeader that replaces the path",
      rule('outputPayloadToHeader: ":path"'),
      "is the name of no header",
    ],
    ["forwardOriginalToken that is text", rule('forwardOriginalToken: "true"'), "is text, and not true or false"],
    ["rules that are no list", "jwtRules: {issuer: a}", "spec.jwtRules is a map, and not a list"],
  ])("%s", (_, spec, problem) => {
    const problems = problemsOf(spec);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(problem);
  });

  it.each([
    ["private", '{"keys":[{"kty":"EC","crv":"P-256","x":"AQ","y":"AQ","d":"c2VjcmV0"}]}'],
    ["symmetric", '{"kty":"oct","k":"c2VjcmV0"}'],
  ])("inline %s key is a warning that does not show it", (_, text) => {
    const warnings = warningsOf(jwks(text));
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(`${inRule}.jwks contains private key material`);
    expect(warnings[0]).not.toContain("c2VjcmV0");
  });

  it("no message shows what is in a jwks or behind the scheme of a jwksUri", () => {
    const problems = [
      ...problemsOf(jwks('{"k": "c2VjcmV0" x}')),
      ...problemsOf(rule("jwksUri: https://me:c2VjcmV0@a:b/")),
      ...problemsOf(rule("jwksUri: me://c2VjcmV0")),
    ];
    expect(problems).toHaveLength(3);
    expect(problems.join()).not.toContain("c2VjcmV0");
  });

  it.each([
    ["1ms", 1],
    ["0.001s", 1],
    ["1h1m1.5s", 3_661_500],
    ["+2s", 2_000],
    ["2562047h", 9_223_369_200_000],
  ])("a timeout of %s is taken", (timeout, timeoutMs) => {
    const { documents } = parseDocuments(`${head}spec: {jwtRules: [{issuer: a, timeout: ${timeout}}]}`, { file: "f" });
    expect(documents).toMatchObject([{ jwtRules: [{ timeoutMs }] }]);
  });

  it("a header location that no header can be is a warning", () => {
    expect(warningsOf(rule('fromHeaders: [{name: "a b"}]'))).toEqual([
      `f:7:26: ${inRule}.fromHeaders[0].name is the name of no header, so there never is a token in it`,
    ]);
  });
});

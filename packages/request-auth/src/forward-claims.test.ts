import { describe, expect, test } from "vitest";
import { authenticateRequest } from "./authenticate-request.ts";
import { compileJwtRules } from "./compile-jwt-rules.ts";
import { ask, clock, type noKeys, rule, ruleOfB, tokenOfA, tokenOfB } from "./test-tokens.ts";

async function upstreamOf(...question: Parameters<typeof ask>): Promise<unknown> {
  const result = await ask(...question);
  return result.kind === "rejected" ? result.code : result.upstream;
}

describe("section 4.6: side effects", () => {
  test("the payload goes on as it stood in the token", async () => {
    const bearer = tokenOfA();
    expect(await upstreamOf([rule({ outputPayloadToHeader: "X-Payload" })], { bearer })).toEqual({
      remove: ["authorization"],
      add: [["x-payload", bearer.split(".")[1]]],
    });
  });

  test.each<[unknown, string | undefined]>([
    ["text", "text"],
    ["", undefined],
    ["é", "Ã©"],
    ["a\r\nx-evil: 1", undefined],
    ["a\u0000", undefined],
    [5, "5"],
    [0, "0"],
    [1e19, "10000000000000000000"],
    [-3, "-3.000000"],
    [1.5, "1.500000"],
    [1e25, "10000000000000000905969664.000000"],
    [true, "true"],
    [false, "false"],
    [null, undefined],
    [["a", 1, "<"], Buffer.from('["a",1,"\\u003c"]').toString("base64")],
    [{ q: 1 }, Buffer.from('{"q":1}').toString("base64")],
  ])("claim %j becomes %j", async (claim, value) => {
    const claims = rule({ outputClaimToHeaders: [{ header: "X-Claim", claim: "c" }], forwardOriginalToken: true });
    const add = value === undefined ? [] : [["x-claim", value]];
    expect(await upstreamOf([claims], { bearer: tokenOfA({ c: claim }) })).toEqual({ remove: [], add });
  });

  test("a dot goes into an object, and never to what objects inherit", async () => {
    const outputClaimToHeaders = ["a.b", "a.z", "sub.length", "constructor.name", "__proto__.x"].map((claim, at) => ({
      header: `x-${at}`,
      claim,
    }));
    const bearer = tokenOfA({ a: { b: "deep" }, "a.b": "flat" });
    expect(await upstreamOf([rule({ outputClaimToHeaders, forwardOriginalToken: true })], { bearer })).toEqual({
      remove: [],
      add: [["x-0", "deep"]],
    });
  });

  test("a token in the query is taken out, and the rest stays as it was", async () => {
    const path = `/x?b=%7e&access%5Ftoken=${tokenOfA()}&a=1&access_token=more`;
    expect(await upstreamOf([rule()], { path })).toEqual({ remove: [], add: [], path: "/x?b=%7e&a=1" });
    expect(await upstreamOf([rule({ forwardOriginalToken: true })], { path })).toEqual({ remove: [], add: [] });
    expect(await upstreamOf([rule()], { path: `/x?access_token=${tokenOfA()}` })).toMatchObject({ path: "/x" });
  });

  test("a cookie stays", async () => {
    const headers = [["cookie", `s=${tokenOfA()}`]] as const;
    expect(await upstreamOf([rule({ fromCookies: ["s"] })], { headers })).toEqual({ remove: [], add: [] });
  });

  test("what clients send under the name of an output header is removed, whoever the request is from", async () => {
    const rules = [
      rule({ outputPayloadToHeader: "X-A" }),
      ruleOfB({ outputClaimToHeaders: [{ header: "x-b", claim: "none" }] }),
    ];
    const headers = [
      ["x-a", "evil"],
      ["X-B", "evil"],
      ["x-c", "fine"],
    ] as const;
    expect(await upstreamOf(rules, { headers })).toEqual({ remove: ["x-a", "x-b"], add: [] });
    const bearer = tokenOfB();
    expect(await upstreamOf(rules, { bearer, headers })).toMatchObject({
      remove: ["x-a", "x-b", "authorization"],
      add: [],
    });
    const preflight = [["origin", "x"], ["access-control-request-method", "GET"], ...headers] as const;
    expect(await upstreamOf(rules, { method: "OPTIONS", headers: preflight })).toEqual({
      remove: ["x-a", "x-b"],
      add: [],
    });
  });

  test("space-delimited claims are published as lists, and the claims stay as they were", async () => {
    const rules = [rule({ spaceDelimitedClaims: ["roles", "n"] })];
    const claims = { scope: " a  b ", permission: "p", roles: "r s", groups: "g h", n: 1 };
    expect(await ask(rules, { bearer: tokenOfA(claims) })).toMatchObject({
      claims: { scope: " a  b " },
      payload: { scope: ["a", "b"], permission: ["p"], roles: ["r", "s"], groups: "g h", n: 1, sub: "alice" },
    });
  });
});

describe("section 4.9: CORS preflight", () => {
  const bearer = "bad";
  test.each<[string, string, readonly (readonly [string, string])[], string]>([
    [
      "preflight",
      "OPTIONS",
      [
        ["origin", "o"],
        ["access-control-request-method", "GET"],
      ],
      "anonymous",
    ],
    ["no origin", "OPTIONS", [["access-control-request-method", "GET"]], "rejected"],
    [
      "empty origin",
      "OPTIONS",
      [
        ["origin", ""],
        ["access-control-request-method", "GET"],
      ],
      "rejected",
    ],
    ["no method asked for", "OPTIONS", [["origin", "o"]], "rejected"],
    [
      "another method",
      "GET",
      [
        ["origin", "o"],
        ["access-control-request-method", "GET"],
      ],
      "rejected",
    ],
  ])("%s", async (_name, method, headers, kind) => {
    expect((await ask([rule()], { bearer, method, headers })).kind).toBe(kind);
  });
});

test("rejects only with the reason of its signal", async () => {
  const reason = new Error("gone");
  const keysOf = (_rule: unknown, _header: unknown, signal: AbortSignal): ReturnType<typeof noKeys> =>
    Promise.reject(signal.reason);
  const compiled = compileJwtRules([rule({ jwksUri: "https://a/jwks" })]);
  const request = { method: "GET", scheme: "https", host: "h", path: `/?access_token=${tokenOfA()}`, headers: [] };
  await expect(authenticateRequest(compiled, request, { keysOf, clock }, AbortSignal.abort(reason))).rejects.toBe(
    reason,
  );
});

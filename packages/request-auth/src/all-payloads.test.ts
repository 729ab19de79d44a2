import { describe, expect, test } from "vitest";
import { ask, rule, ruleOfB, type TestRequest, tokenOfA, tokenOfB, verdict } from "./test-tokens.ts";

const options = { publishAllPayloads: true };
const both = [ruleOfB(), rule()];
const two: TestRequest = { bearer: tokenOfB(), path: `/?access_token=${tokenOfA()}`, options };

describe("all payloads published", () => {
  test("by issuer, and the principal is that of the first rule", async () => {
    const result = await ask(both, two);
    if (result.kind !== "authenticated") throw new Error(result.kind);
    expect(result.principal).toBe("a/alice");
    expect([...(result.payloads ?? [])]).toEqual([
      ["a", { iss: "a", sub: "alice" }],
      ["b", { iss: "b", sub: "bob" }],
    ]);
    expect(result.upstream).toEqual({ remove: ["authorization"], add: [], path: "/" });
  });

  test("a single token is published too, and without the option nothing but the first", async () => {
    expect(await ask(both, { bearer: tokenOfB(), options })).toMatchObject({
      payloads: new Map([["b", { sub: "bob" }]]),
    });
    expect(await ask(both, { bearer: tokenOfB() })).not.toHaveProperty("payloads");
  });

  test.each<[string, TestRequest, string]>([
    ["an expired one", { ...two, bearer: tokenOfB({ exp: 1 }) }, "token-expired"],
    ["one of nobody", { ...two, bearer: tokenOfB({ iss: "z" }) }, "issuer-unknown"],
    ["no token at all", { ...two, bearer: "opaque" }, "token-malformed"],
    ["one with a forged signature", { ...two, path: `/?access_token=${tokenOfA({ iss: "b" })}` }, "signature-invalid"],
  ])("every token must be good: beside a good one, %s", async (_name, request, code) => {
    expect(await verdict(both, request)).toBe(code);
  });

  test("a token of a place is judged by the rules that look there alone", async () => {
    const apart = [
      rule({ fromHeaders: [{ name: "x-a", prefix: "" }] }),
      ruleOfB({ fromHeaders: [{ name: "x-b", prefix: "" }] }),
    ];
    const headers = (a: string, b: string): TestRequest => ({
      headers: [
        ["x-a", a],
        ["x-b", b],
      ],
      options,
    });
    expect(await ask(apart, headers(tokenOfA(), tokenOfB()))).toMatchObject({ upstream: { remove: ["x-a", "x-b"] } });
    expect(await verdict(apart, headers(tokenOfB(), tokenOfA()))).toBe("issuer-unknown");
  });

  test("a token that is not to be forwarded goes, the other stays", async () => {
    const rules = [ruleOfB({ forwardOriginalToken: true }), rule()];
    expect(await ask(rules, two)).toMatchObject({ upstream: { remove: [], path: "/" } });
  });

  test("of two tokens of one issuer the first by place is published", async () => {
    const request = { bearer: tokenOfA({ n: 1 }), path: `/?access_token=${tokenOfA({ n: 2 })}`, options };
    expect(await ask([rule()], request)).toMatchObject({ claims: { n: 1 }, payloads: new Map([["a", { n: 1 }]]) });
  });

  test("a header that two rules would write is the word of the principal's token", async () => {
    const outputClaimToHeaders = [{ header: "X-User", claim: "sub" }];
    const rules = [
      ruleOfB({ outputClaimToHeaders: [...outputClaimToHeaders, { header: "x-b", claim: "iss" }] }),
      rule({ outputClaimToHeaders }),
    ];
    expect(await ask(rules, two)).toMatchObject({
      upstream: {
        add: [
          ["x-user", "alice"],
          ["x-b", "b"],
        ],
      },
    });
  });
});

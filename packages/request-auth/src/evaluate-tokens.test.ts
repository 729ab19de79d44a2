import { describe, expect, test } from "vitest";
import { ask, jwkOf, keys, rule, ruleOfB, token, tokenOfA, tokenOfB, verdict } from "./test-tokens.ts";

const both = [ruleOfB(), rule()];
const atX = (name: string): object => ({ fromHeaders: [{ name, prefix: "" }] });
const apart = [rule(atX("x-a")), ruleOfB(atX("x-b"))];

describe("sections 4.1, 4.2 and 4.7: several rules", () => {
  test("no rule: anonymous whatever the request carries", async () => {
    expect(await verdict([], { bearer: "bad" })).toBe("anonymous");
  });

  test("no token at all: anonymous", async () => {
    expect(await verdict(both, {})).toBe("anonymous");
  });

  test("token of B, rules of A and B, same place: B", async () => {
    expect(await ask(both, { bearer: tokenOfB() })).toMatchObject({ principal: "b/bob", rule: { issuer: "b" } });
  });

  test("token of an unknown issuer: refused", async () => {
    expect(await ask(both, { bearer: tokenOfA({ iss: "z" }) })).toMatchObject({
      status: 401,
      body: "Jwt issuer is not configured",
    });
  });

  test("valid token for A at its place, broken one for B at another: A, and B is never looked at", async () => {
    const headers = [
      ["x-a", tokenOfA()],
      ["x-b", "broken"],
    ] as const;
    expect(await verdict(apart, { headers })).toBe("a/alice");
  });

  test("no token for A, a broken one for B: B's error", async () => {
    expect(await verdict(apart, { headers: [["x-b", tokenOfB({ exp: 1 })]] })).toBe("token-expired");
  });

  test("two rules of one issuer with different audiences or keys: one success is enough", async () => {
    const rules = [rule({ audiences: ["x"] }), rule({ audiences: ["y"], keySet: [jwkOf(keys.otherEc)] })];
    expect(await verdict(rules, { bearer: tokenOfA({ aud: "x" }) })).toBe("a/alice");
    expect(await verdict(rules, { bearer: tokenOfA({ aud: "y" }, { key: keys.otherEc }) })).toBe("a/alice");
    expect(await verdict(rules, { bearer: tokenOfA({ aud: "x" }, { key: keys.otherEc }) })).toBe("signature-invalid");
  });

  test("valid tokens for A and B at different places: only the first by issuer is published", async () => {
    const headers = [
      ["x-b", tokenOfB()],
      ["x-a", tokenOfA()],
    ] as const;
    expect(await verdict(apart, { headers })).toBe("a/alice");
  });

  test("a rule that is alone is asked once, so its first refusal is heard", async () => {
    const twice = rule({
      fromHeaders: [
        { name: "x-a", prefix: "" },
        { name: "x-b", prefix: "" },
      ],
    });
    const headers = [
      ["x-a", tokenOfA({ exp: 1 })],
      ["x-b", "broken"],
      ["x-b", tokenOfA()],
    ] as const;
    expect(await verdict([twice], { headers })).toBe("token-malformed");
  });

  test("valid tokens for A and B at the same places: each is verified, the first by issuer is published", async () => {
    const request = { bearer: tokenOfA(), path: `/?x=1&access_token=${tokenOfB()}` };
    expect(await ask(both, request)).toMatchObject({ principal: "a/alice", upstream: { path: "/?x=1" } });
    const kept = both.map((one) => ({ ...one, forwardOriginalToken: true }));
    expect(await verdict(kept, request)).toBe("issuer-unknown");
  });

  test("the error is one other than missing and unknown issuer", async () => {
    const headers = [
      ["x-a", tokenOfB()],
      ["x-b", tokenOfB({ exp: 1 })],
    ] as const;
    expect(await verdict(apart, { headers })).toBe("token-expired");
  });

  test("of several errors the first rule's is told when it knew the issuer, else the last one's", async () => {
    const audiences = (audience: string): object => ({ audiences: [audience] });
    const expired = rule({ audiences: ["x"], keySet: [jwkOf(keys.otherEc)] });
    expect(await verdict([rule(audiences("y")), expired], { bearer: tokenOfA({ aud: "x" }) })).toBe(
      "audience-mismatch",
    );
    const zRules = [rule({ issuer: "0" }), rule(audiences("y")), expired];
    expect(await verdict(zRules, { bearer: tokenOfA({ aud: "x" }) })).toBe("signature-invalid");
  });

  test("a rule without an issuer takes any, before all others", async () => {
    const any = rule({ issuer: "" });
    expect(await ask([ruleOfB(), any], { bearer: tokenOfA({ iss: "z" }) })).toMatchObject({
      principal: "z/alice",
      rule: { issuer: "" },
    });
    expect(await verdict([ruleOfB(), any], { bearer: tokenOfB() })).toBe("b/bob");
    expect(await verdict([any], { bearer: token({ sub: "s" }) })).toBe("nobody");
  });

  test("a bad token beside a good one in a repeated header is refused, though Envoy takes both away at once", async () => {
    const rules = [rule(atX("x-t")), ruleOfB(atX("x-t"))];
    const headers = [
      ["x-t", "bad"],
      ["x-t", tokenOfA()],
    ] as const;
    expect(await verdict(rules, { headers })).toBe("token-malformed");
    expect(await verdict(rules, { headers: headers.toReversed() })).toBe("token-malformed");
  });

  test("nor is it let through by a good one that stays, such as a cookie", async () => {
    const rules = [rule({ ...atX("x-t"), fromCookies: ["s"] }), ruleOfB()];
    const headers = [
      ["x-t", "bad"],
      ["x-t", tokenOfA()],
      ["cookie", `s=${tokenOfA()}`],
    ] as const;
    expect(await verdict(rules, { headers })).toBe("token-malformed");
  });

  test("a token without sub is authenticated and nobody", async () => {
    const result = await ask([rule()], { bearer: token({ iss: "a" }) });
    expect(result.kind).toBe("authenticated");
    expect(result).not.toHaveProperty("principal");
  });
});

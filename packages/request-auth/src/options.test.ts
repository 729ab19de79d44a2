import { describe, expect, test } from "vitest";
import { claimAt, parseClaimPath } from "./claim-path.ts";
import { ask, rule, ruleOfB, tokenOfA, tokenOfB, verdict } from "./test-tokens.ts";

const preflight = {
  method: "OPTIONS",
  headers: [
    ["origin", "https://shop.example"],
    ["access-control-request-method", "GET"],
  ],
} as const;

describe("require", () => {
  const options = { require: true };

  test("no token: 401, and a challenge without an error", async () => {
    expect(await ask([rule()], { path: "/cart", options })).toEqual({
      kind: "rejected",
      code: "token-missing",
      status: 401,
      body: "Jwt is missing",
      wwwAuthenticate: 'Bearer realm="https://shop.example/cart"',
    });
  });

  test("a token somewhere no rule looks is none", async () => {
    expect(await verdict([rule()], { headers: [["x-t", tokenOfA()]], options })).toBe("token-missing");
  });

  test("no rule at all: nothing can be let through", async () => {
    expect(await verdict([], { bearer: tokenOfA(), options })).toBe("token-missing");
  });

  test("a good token, a bad one, and a CORS preflight are as ever", async () => {
    expect(await verdict([rule()], { bearer: tokenOfA(), options })).toBe("a/alice");
    expect(await ask([rule()], { bearer: "bad", options })).toMatchObject({
      code: "token-malformed",
      wwwAuthenticate: 'Bearer realm="https://shop.example/", error="invalid_token"',
    });
    expect(await verdict([rule()], { ...preflight, options })).toBe("anonymous");
  });

  test("off unless it is asked for", async () => {
    expect(await verdict([rule()], { options: { require: false } })).toBe("anonymous");
  });
});

describe("opaque tokens passed by", () => {
  const options = { passOpaqueTokens: true };

  test.each(["opaque", "a.b", "a.b.c.d", "a.b.c.d.e", "...", "", "a..b", " "])(
    "%j has not the form of a JWT: no token",
    async (bearer) => {
      for (const profile of ["istio", "strict"] as const) {
        const result = await ask([rule()], { bearer, options, profile });
        expect(result).toEqual({ kind: "anonymous", upstream: { remove: [], add: [] } });
      }
    },
  );

  test("without the option it is refused", async () => {
    expect(await verdict([rule()], { bearer: "opaque" })).toBe("token-malformed");
  });

  test.each([
    ["a.b.c", "header-encoding-invalid"],
    [`${tokenOfA()}!`, "signature-encoding-invalid"],
    [tokenOfA({}, { alg: "none" }), "algorithm-unsupported"],
    [tokenOfA({ exp: 1 }), "token-expired"],
  ])("what has the form of a JWT is judged: %#", async (bearer, code) => {
    expect(await verdict([rule()], { bearer, options })).toBe(code);
  });

  test("a JWT at another place still counts, and the opaque token stays", async () => {
    const request = { bearer: "opaque", path: `/?access_token=${tokenOfA()}`, options };
    expect(await ask([rule()], request)).toMatchObject({ principal: "a/alice", upstream: { remove: [], path: "/" } });
  });

  test("with a token required it is not enough", async () => {
    expect(await verdict([rule()], { bearer: "opaque", options: { ...options, require: true } })).toBe("token-missing");
  });
});

describe("claims by names in brackets", () => {
  test.each<[string, readonly string[], readonly string[]]>([
    ["a.b", ["a", "b"], ["a", "b"]],
    ["[a]", ["a"], ["[a]"]],
    ["[https://x.y/z][a.b]", ["https://x.y/z", "a.b"], ["[https://x", "y/z][a", "b]"]],
    ["[a]b", ["[a]b"], ["[a]b"]],
    ["[a", ["[a"], ["[a"]],
    ["[]", ["[]"], ["[]"]],
    ["", [""], [""]],
  ])("%s", (text, bracketed, plain) => {
    expect(parseClaimPath(text, true)).toEqual(bracketed);
    expect(parseClaimPath(text, false)).toEqual(plain);
  });

  test("a claim is found with its type, and nothing inherited is one", () => {
    const claims = { "https://x.y/z": { "a.b": 12, ok: false }, list: ["a"] };
    expect(claimAt(claims, ["https://x.y/z", "a.b"])).toBe(12);
    expect(claimAt(claims, ["https://x.y/z", "ok"])).toBe(false);
    expect(claimAt(claims, ["https://x.y/z", "toString"])).toBeUndefined();
    expect(claimAt(claims, ["__proto__"])).toBeUndefined();
    expect(claimAt(claims, ["list", "0"])).toBeUndefined();
  });

  test("names with dots reach a header only with the option", async () => {
    const rules = [rule({ outputClaimToHeaders: [{ header: "X-Lead", claim: "[https://x.y/team][is.lead]" }] })];
    const bearer = tokenOfA({ "https://x.y/team": { "is.lead": true } });
    const added = async (options: object): Promise<unknown> => {
      const result = await ask(rules, { bearer, options });
      return result.kind === "authenticated" ? result.upstream.add : result;
    };
    expect(await added({ bracketedClaims: true })).toEqual([["x-lead", "true"]]);
    expect(await added({})).toEqual([]);
  });
});

describe("typed claims", () => {
  const claims = { admin: true, level: 3, ratio: 0.5, deep: { n: [1, false, "x", null] }, big: 2 ** 60, scope: "a b" };

  test("are published as text, and stay what they are in the claims", async () => {
    const result = await ask([rule()], { bearer: tokenOfA(claims), options: { typedClaims: true } });
    expect(result).toMatchObject({
      claims,
      payload: {
        sub: "alice",
        admin: "true",
        level: "3",
        ratio: "0.5",
        deep: { n: ["1", "false", "x", null] },
        big: 2 ** 60,
        scope: ["a", "b"],
      },
    });
  });

  test("are left as they are without the option", async () => {
    const result = await ask([rule()], { bearer: tokenOfA(claims) });
    expect(result).toMatchObject({ payload: { admin: true, level: 3, deep: claims.deep } });
  });

  test("a member that every object inherits stays a claim of that name", async () => {
    const options = { typedClaims: true };
    const bearer = tokenOfA({}, { rawPayload: '{"iss":"a","sub":"alice","__proto__":{"n":1}}' });
    const result = await ask([rule()], { bearer, options });
    const { payload = {} } = result.kind === "authenticated" ? result : {};
    expect(Object.hasOwn(payload, "__proto__") && claimAt(payload, ["__proto__", "n"])).toBe("1");
  });
});

test("options of one rule set are not those of another", async () => {
  expect(await verdict([rule(), ruleOfB()], { bearer: tokenOfB(), options: { require: true } })).toBe("b/bob");
  expect(await verdict([rule(), ruleOfB()], {})).toBe("anonymous");
});

import { createVerificationKey, type VerificationKey } from "@signet/jwt";
import { fakeJwksSource } from "@signet/jwt/testing";
import { describe, expect, test, vi } from "vitest";
import { authenticateRequestNow, type RequestAuthenticationResult } from "./authenticate-request.ts";
import { compileJwtRules } from "./compile-jwt-rules.ts";
import type { RequestAuthOptions } from "./options.ts";
import type { TokenFacts } from "./parse-token.ts";
import { type KeysOf, keysFromSources } from "./rule-keys.ts";
import { fullRequest, jwkOf, keys, nowSeconds, rule, ruleOfB, token, tokenOfA, tokenOfB } from "./test-tokens.ts";
import { createTokenMemory, maxRememberedCharacters } from "./token-memory.ts";

const { verify } = vi.hoisted(() => ({ verify: { count: 0 } }));
vi.mock("node:crypto", async (original) => {
  const crypto = await original<typeof import("node:crypto")>();
  const counted = (...args: readonly unknown[]): unknown => {
    verify.count++;
    return Reflect.apply(crypto.verify, crypto, args);
  };
  return { ...crypto, verify: counted };
});

const never = new AbortController().signal;
const remote = { jwksUri: "https://a.example/jwks" };
const none: KeysOf = () => ({ kind: "unavailable", detail: "none" });

type SetUp = {
  readonly rules?: Parameters<typeof compileJwtRules>[0];
  readonly options?: RequestAuthOptions;
  readonly keysOf?: KeysOf;
};

/** A rule set that stays, with a clock that can be set. */
function setUp({ rules = [rule()], options = {}, keysOf = none }: SetUp = {}) {
  const compiled = compileJwtRules(rules, options);
  let seconds = nowSeconds;
  const dependencies = { keysOf, clock: { now: () => new Date(seconds * 1000) } };
  const ask = (bearer: string) => authenticateRequestNow(compiled, fullRequest({ bearer }), dependencies, never);
  const codeOf = async (bearer: string): Promise<string | undefined> => {
    const result: RequestAuthenticationResult = await ask(bearer);
    return result.kind === "rejected" ? result.code : result.kind === "authenticated" ? result.principal : result.kind;
  };
  const costOf = async (bearer: string): Promise<number> => {
    const before = verify.count;
    await codeOf(bearer);
    return verify.count - before;
  };
  const setClock = (at: number): void => {
    seconds = at;
  };
  return { ask, codeOf, costOf, setClock };
}

describe("a token that comes again", () => {
  test("is not verified again, and gives the very same claims", async () => {
    const { ask, costOf } = setUp();
    const bearer = tokenOfA({ deep: { list: [1] } });
    expect([await costOf(bearer), await costOf(bearer), await costOf(bearer)]).toEqual([1, 1, 0]);
    const [first, again] = [await ask(bearer), await ask(bearer)];
    expect(again).toEqual(first);
    if (first.kind !== "authenticated" || again.kind !== "authenticated") throw new Error("refused");
    expect(again.claims).toBe(first.claims);
    expect(() => (first.claims as { deep: { list: number[] } }).deep.list.push(2)).toThrow(TypeError);
    expect(() => Object.assign(first.payload, { sub: "admin" })).toThrow(TypeError);
  });

  test("is not remembered when it comes once, so that nobody shares what the first was given", async () => {
    const { ask } = setUp();
    const bearer = tokenOfA({ deep: { list: [1] } });
    const first = await ask(bearer);
    if (first.kind !== "authenticated") throw new Error("refused");
    (first.claims as { deep: { list: number[] } }).deep.list.push(2);
    for (let n = 0; n < 3; n++) expect(await ask(bearer)).toMatchObject({ claims: { deep: { list: [1] } } });
  });

  test("is verified each time where nothing is remembered", async () => {
    const { costOf } = setUp({ options: { maxRememberedTokens: 0 } });
    const bearer = tokenOfA();
    expect([await costOf(bearer), await costOf(bearer), await costOf(bearer)]).toEqual([1, 1, 1]);
  });

  test("expires all the same, and begins", async () => {
    const { codeOf, setClock } = setUp();
    const bearer = tokenOfA({ nbf: nowSeconds, exp: nowSeconds + 100 });
    expect(await codeOf(bearer)).toBe("a/alice");
    expect(await codeOf(bearer)).toBe("a/alice");
    setClock(nowSeconds + 160);
    expect(await codeOf(bearer)).toBe("a/alice");
    setClock(nowSeconds + 161);
    expect(await codeOf(bearer)).toBe("token-expired");
    setClock(nowSeconds - 61);
    expect(await codeOf(bearer)).toBe("token-not-yet-valid");
  });

  test("is another token with one character more, less or changed", async () => {
    const { codeOf } = setUp();
    const bearer = tokenOfA();
    await codeOf(bearer);
    await codeOf(bearer);
    const [header = "", payload = "", signature = ""] = bearer.split(".");
    const admin = Buffer.from(JSON.stringify({ iss: "a", sub: "admin" })).toString("base64url");
    expect(await codeOf(`${header}.${admin}.${signature}`)).toBe("signature-invalid");
    expect(await codeOf(`${header}.${payload}.${signature.slice(0, -4)}`)).toBe("signature-invalid");
    expect(await codeOf(`${bearer}\u0100`)).toBe("signature-encoding-invalid");
  });

  test("bad ones are never remembered, and push nothing out", async () => {
    const { costOf } = setUp({ options: { maxRememberedTokens: 4 } });
    const good = tokenOfA();
    const bad = tokenOfA({}, { key: keys.otherEc });
    await costOf(good);
    await costOf(good);
    expect([await costOf(bad), await costOf(bad), await costOf(bad)]).toEqual([1, 1, 1]);
    for (let n = 0; n < 20; n++) await costOf(tokenOfA({ n }, { key: keys.otherEc }));
    expect(await costOf(good)).toBe(0);
  });

  test("a long one is verified each time", async () => {
    const { costOf } = setUp();
    const bearer = tokenOfA({ x: "x".repeat(maxRememberedCharacters) });
    expect([await costOf(bearer), await costOf(bearer), await costOf(bearer)]).toEqual([1, 1, 1]);
  });
});

describe("what one rule has verified says nothing to another", () => {
  test("another audience", async () => {
    const { codeOf } = setUp({
      rules: [rule({ audiences: ["x"] }), rule({ audiences: ["y"], keySet: [jwkOf(keys.otherEc)] })],
    });
    const bearer = tokenOfA({ aud: "x" });
    for (let n = 0; n < 3; n++) expect(await codeOf(bearer)).toBe("a/alice");
    expect(await codeOf(tokenOfA({ aud: "y" }))).toBe("audience-mismatch");
    expect(await codeOf(bearer)).toBe("a/alice");
  });

  test("another rule set, though all else is the same", async () => {
    const bearer = tokenOfA();
    const [first, second] = [setUp(), setUp({ rules: [rule({ keySet: [jwkOf(keys.otherEc)] })] })];
    for (let n = 0; n < 3; n++) expect(await first.codeOf(bearer)).toBe("a/alice");
    expect(await second.codeOf(bearer)).toBe("signature-invalid");
  });

  test("another issuer: a token of A that says it is of B", async () => {
    const { codeOf } = setUp({ rules: [rule(), ruleOfB()] });
    const [ofA, ofB] = [tokenOfA(), tokenOfB()];
    for (let n = 0; n < 3; n++) await Promise.all([codeOf(ofA), codeOf(ofB)]);
    expect(await codeOf(token({ iss: "b", sub: "alice" }, { key: keys.ec }))).toBe("signature-invalid");
  });

  test("another place: only rules that look there count", async () => {
    const rules = [rule({ fromHeaders: [{ name: "x-a", prefix: "" }] }), ruleOfB()];
    const compiled = compileJwtRules(rules);
    const dependencies = { keysOf: none, clock: { now: () => new Date(nowSeconds * 1000) } };
    const at = (headers: readonly (readonly [string, string])[]) =>
      authenticateRequestNow(compiled, fullRequest({ headers }), dependencies, never);
    const bearer = tokenOfA();
    for (let n = 0; n < 3; n++) expect(await at([["x-a", bearer]])).toMatchObject({ principal: "a/alice" });
    expect(await at([["authorization", `Bearer ${bearer}`]])).toMatchObject({ code: "issuer-unknown" });
  });
});

describe("a token whose issuer has changed its keys", () => {
  const keyOf = (key = keys.ec, kid = "k1"): VerificationKey => createVerificationKey({ key, kid });
  const bearer = tokenOfA({}, { header: { kid: "k1" } });

  function withSource(first: readonly VerificationKey[]) {
    const source = fakeJwksSource({ issuer: "a", keys: first });
    return { source, ...setUp({ rules: [rule(remote)], keysOf: keysFromSources(() => source) }) };
  }

  test("counts while the key stays, without a second verification", async () => {
    const key = keyOf();
    const { source, costOf } = withSource([key]);
    expect([await costOf(bearer), await costOf(bearer), await costOf(bearer)]).toEqual([1, 1, 0]);
    source.setKeys([keyOf(keys.otherEc, "k2"), key]);
    expect(await costOf(bearer)).toBe(0);
  });

  test("is refused at once when the key is gone, or another is under its id", async () => {
    const { source, codeOf } = withSource([keyOf()]);
    for (let n = 0; n < 3; n++) expect(await codeOf(bearer)).toBe("a/alice");
    source.setKeys([keyOf(keys.ec, "k2")]);
    expect(await codeOf(bearer)).toBe("key-not-found");
    source.setKeys([keyOf(keys.otherEc)]);
    expect(await codeOf(bearer)).toBe("signature-invalid");
    source.setKeys([keyOf()]);
    expect(await codeOf(bearer)).toBe("a/alice");
  });

  test("is refused when the keys cannot be had", async () => {
    const { source, codeOf } = withSource([keyOf()]);
    for (let n = 0; n < 3; n++) expect(await codeOf(bearer)).toBe("a/alice");
    source.fail("the issuer is gone");
    expect(await codeOf(bearer)).toBe("keys-unavailable");
  });
});

describe("createTokenMemory", () => {
  const facts = (name: string): TokenFacts => ({
    ...{ kind: "facts", algorithm: "ES256", keyId: name, claims: {}, issuer: "a", subject: "s" },
    ...{ notBefore: 0, expiry: 0, audiences: [] },
  });

  test("holds no more than it may, and keeps what is asked for", () => {
    const memory = createTokenMemory(10);
    const remember = (name: string): void => {
      memory?.note(name, facts(name));
      memory?.note(name, facts(name));
    };
    remember("kept");
    for (let n = 0; n < 1000; n++) {
      remember(`t${n}`);
      expect(memory?.get("kept")?.facts.keyId).toBe("kept");
    }
    const held = Array.from({ length: 1000 }, (_, n) => memory?.get(`t${n}`)).filter((token) => token !== undefined);
    expect(held.length).toBeGreaterThan(0);
    expect(held.length).toBeLessThanOrEqual(10);
  });

  test("takes no token for another that ends like it", () => {
    const memory = createTokenMemory(10);
    for (const name of ["one.samesame", "two.samesame"]) memory?.note(name, facts(name));
    expect(memory?.get("one.samesame")).toBeUndefined();
    expect(memory?.get("two.samesame")?.facts.keyId).toBe("two.samesame");
    expect(memory?.get("\u0174wo.samesame")).toBeUndefined();
  });

  test.each([0, 1, -5, Number.NaN])("is none for %d tokens", (maxTokens) => {
    expect(createTokenMemory(maxTokens)).toBeUndefined();
  });
});

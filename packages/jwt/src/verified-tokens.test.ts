import { FakeClock } from "@signet/runtime/testing";
import { describe, expect, it } from "vitest";
import { testIssuer, testSigningKey } from "./testing.ts";
import { createVerificationKey } from "./verification-key.ts";
import { createVerifiedTokens, digestOf, maxRememberedCharacters } from "./verified-tokens.ts";
import { createJwtVerifier, type JwtResult, type JwtVerifier } from "./verify-jwt.ts";

const never = new AbortController().signal;
const trustedKid = "test";

function setUp() {
  const clock = new FakeClock();
  const trusted = testIssuer({ issuer: "https://issuer.example", clock });
  const issuers = [{ issuer: trusted.issuer, audiences: ["istio-ca"], keys: trusted.keys }];
  const verifier = createJwtVerifier({ issuers, clockSkewSeconds: 60 }, clock);
  return { clock, trusted, verify: (token: string) => verifier.verify(token, never) };
}

async function claimsOf(result: ReturnType<JwtVerifier["verify"]>) {
  const verified = await result;
  if (verified.kind !== "verified") throw new Error(verified.code);
  return verified.claims;
}

function codeOf(result: JwtResult): string {
  return result.kind === "verified" ? "verified" : result.code;
}

describe("a verifier that has verified a token", () => {
  it("remembers it, and says the same of it again", async () => {
    const { trusted, verify } = setUp();
    const token = trusted.sign();
    expect(await claimsOf(verify(token))).toBe(await claimsOf(verify(token)));
  });

  it("lets nobody change what the next call is told", async () => {
    const { trusted, verify } = setUp();
    const token = trusted.sign({ extra: { roles: ["reader"] } });
    const { extra } = await claimsOf(verify(token));
    expect(() => (extra as { roles: string[] }).roles.push("admin")).toThrow(TypeError);
    expect(await claimsOf(verify(token))).toMatchObject({ extra: { roles: ["reader"] } });
  });

  it("refuses it once it has expired", async () => {
    const { clock, trusted, verify } = setUp();
    const token = trusted.sign();
    expect(codeOf(await verify(token))).toBe("verified");
    await clock.advance(3_659_999);
    expect(codeOf(await verify(token))).toBe("verified");
    await clock.advance(1);
    expect(codeOf(await verify(token))).toBe("token-expired");
  });

  it("refuses it while the clock stands before its beginning", async () => {
    const { clock, trusted, verify } = setUp();
    const token = trusted.sign();
    expect(codeOf(await verify(token))).toBe("verified");
    clock.jump(-61_000);
    expect(codeOf(await verify(token))).toBe("token-not-yet-valid");
    clock.jump(61_000);
    expect(codeOf(await verify(token))).toBe("verified");
  });

  it.each(["another", trustedKid])("refuses it once its key is gone and key %j has come", async (kid) => {
    const { trusted, verify } = setUp();
    const token = trusted.sign();
    expect(codeOf(await verify(token))).toBe("verified");
    const key = testSigningKey("ES256", "somebody else's");
    trusted.keys.setKeys([createVerificationKey({ key, kid })]);
    expect(codeOf(await verify(token))).toBe(kid === trustedKid ? "signature-invalid" : "key-not-found");
  });

  it("accepts it under the same key fetched anew", async () => {
    const { trusted, verify } = setUp();
    const token = trusted.sign();
    const before = await claimsOf(verify(token));
    trusted.keys.setKeys([createVerificationKey({ key: trusted.publicKey, kid: trusted.kid })]);
    const after = await claimsOf(verify(token));
    expect(after).not.toBe(before);
    expect(await claimsOf(verify(token))).toBe(after);
  });

  it("cannot tell while there are no keys", async () => {
    const { trusted, verify } = setUp();
    const token = trusted.sign();
    expect(codeOf(await verify(token))).toBe("verified");
    trusted.keys.fail("connection refused");
    expect(codeOf(await verify(token))).toBe("keys-unavailable");
  });

  it("refuses every other text, whatever they have in common", async () => {
    const { trusted, verify } = setUp();
    const token = trusted.sign();
    const other = trusted.sign({ sub: "system:serviceaccount:demo:backend" });
    expect(codeOf(await verify(token))).toBe("verified");
    expect(codeOf(await verify(other))).toBe("verified");
    const [header, claims] = token.split(".");
    const swapped = `${header}.${claims}.${other.split(".")[2]}`;
    expect(codeOf(await verify(swapped))).toBe("signature-invalid");
    for (const written of [`${token} `, `${token}=`, token.toUpperCase(), `\ufffd${token}`, `${token}\ud800`]) {
      expect(codeOf(await verify(written))).not.toBe("verified");
    }
  });

  it("does not remember one that is long", async () => {
    const { trusted, verify } = setUp();
    const token = trusted.sign({ padding: "x".repeat(maxRememberedCharacters) });
    expect(await claimsOf(verify(token))).not.toBe(await claimsOf(verify(token)));
  });

  it("rejects with the reason of an abort", async () => {
    const { trusted } = setUp();
    const issuers = [{ issuer: trusted.issuer, audiences: ["istio-ca"], keys: trusted.keys }];
    const verifier = createJwtVerifier({ issuers, clockSkewSeconds: 60 }, new FakeClock());
    const token = trusted.sign();
    await verifier.verify(token, never);
    await expect(verifier.verify(token, AbortSignal.abort("gone"))).rejects.toBe("gone");
  });
});

describe("createVerifiedTokens", () => {
  const key = createVerificationKey({ key: testSigningKey("ES256", "any") });

  it("forgets the token that was not asked for the longest", () => {
    const tokens = createVerifiedTokens<number>(2);
    tokens.add("a", { key, about: 1 });
    tokens.add("b", { key, about: 2 });
    expect(tokens.get("a")?.about).toBe(1);
    tokens.add("c", { key, about: 3 });
    expect(["a", "b", "c"].map((digest) => tokens.get(digest)?.about)).toEqual([1, undefined, 3]);
  });

  it("holds one entry of a token that is added twice, and none of one that is forgotten", () => {
    const tokens = createVerifiedTokens<number>(2);
    tokens.add("a", { key, about: 1 });
    tokens.add("b", { key, about: 2 });
    tokens.add("a", { key, about: 3 });
    expect(["a", "b"].map((digest) => tokens.get(digest)?.about)).toEqual([3, 2]);
    tokens.forget("a");
    expect(tokens.get("a")).toBeUndefined();
  });

  it("knows tokens by their SHA-256 alone", () => {
    expect(digestOf("abc")).toBe("ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
    expect(digestOf("x".repeat(maxRememberedCharacters + 1))).toBeUndefined();
  });
});

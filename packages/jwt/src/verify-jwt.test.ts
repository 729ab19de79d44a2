import { createHmac, sign } from "node:crypto";
import { FakeClock } from "@signet/runtime/testing";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { JwtClaims } from "./compact-token.ts";
import { JwtError } from "./errors.ts";
import type { KeyLookup } from "./issuer.ts";
import { fakeJwksSource, testIssuer, testSigningKey } from "./testing.ts";
import { createVerificationKey } from "./verification-key.ts";
import { createJwtVerifier, type JwtResult } from "./verify-jwt.ts";

const clock = new FakeClock(new Date("2026-06-01T12:00:00Z"));
const now = clock.now().getTime() / 1000;
const signal = new AbortController().signal;
const trusted = testIssuer({ issuer: "https://issuer.example", clock });

function verifierOf(
  issuers: Parameters<typeof createJwtVerifier>[0]["issuers"],
): (token: string) => Promise<JwtResult> {
  const verifier = createJwtVerifier({ issuers, clockSkewSeconds: 60 }, clock);
  return (token) => verifier.verify(token, signal);
}

const verify = verifierOf([{ issuer: trusted.issuer, audiences: ["istio-ca", "other"], keys: trusted.keys }]);

async function codeOf(token: string): Promise<string> {
  const result = await verify(token);
  return result.kind === "verified" ? "verified" : result.code;
}

function encode(value: unknown): string {
  return Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
}

/** A token with any header, signed with the trusted ES256 key, which it names. */
function signedWithHeader(header: object | string, claims: object = decodeClaims(trusted.sign())): string {
  const input = `${encode(header)}.${encode(claims)}`;
  const key = { key: trusted.privateKey, dsaEncoding: "ieee-p1363" } as const;
  return `${input}.${sign("sha256", Buffer.from(input), key).toString("base64url")}`;
}

function decodeClaims(token: string): JwtClaims {
  return JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
}

describe("createJwtVerifier", () => {
  it("verifies a good token", async () => {
    expect(await verify(trusted.sign({ extra: { a: 1 } }))).toEqual({
      kind: "verified",
      issuer: "https://issuer.example",
      subject: "system:serviceaccount:demo:frontend",
      claims: {
        iss: "https://issuer.example",
        sub: "system:serviceaccount:demo:frontend",
        aud: ["istio-ca"],
        iat: now,
        nbf: now,
        exp: now + 3600,
        extra: { a: 1 },
      },
    });
  });

  it.each<[string, object | string, string]>([
    ["another typ", { alg: "ES256", kid: "test", typ: "at+jwt" }, "verified"],
    ["no typ", { alg: "ES256", kid: "test" }, "verified"],
    ["no key id", { alg: "ES256" }, "verified"],
    [
      "keys of its own",
      { alg: "ES256", kid: "test", jwk: {}, jku: "https://evil.example", x5u: "x", x5c: [] },
      "verified",
    ],
    ["crit", { alg: "ES256", kid: "test", crit: ["exp"], exp: 1 }, "critical-header-unsupported"],
    ["unencoded payload", { alg: "ES256", kid: "test", crit: ["b64"], b64: false }, "critical-header-unsupported"],
    ["an empty crit", { alg: "ES256", kid: "test", crit: [] }, "critical-header-unsupported"],
    ["crit null", { alg: "ES256", kid: "test", crit: null }, "critical-header-unsupported"],
    ["no algorithm", { kid: "test" }, "token-malformed"],
    ["an algorithm that is no text", { alg: ["ES256"], kid: "test" }, "token-malformed"],
    ["none", { alg: "none", kid: "test" }, "algorithm-not-allowed"],
    ["nOnE", { alg: "nOnE", kid: "test" }, "algorithm-not-allowed"],
    ["an empty algorithm", { alg: "", kid: "test" }, "algorithm-not-allowed"],
    ["HS256", { alg: "HS256", kid: "test" }, "algorithm-not-allowed"],
    ["es256", { alg: "es256", kid: "test" }, "algorithm-not-allowed"],
    ["ES256K", { alg: "ES256K", kid: "test" }, "algorithm-not-allowed"],
    ["a name of Object.prototype", { alg: "toString", kid: "test" }, "algorithm-not-allowed"],
    ["__proto__", { alg: "__proto__", kid: "test" }, "algorithm-not-allowed"],
    ["a key id that is no text", { alg: "ES256", kid: 1 }, "token-malformed"],
    ["an unknown key id", { alg: "ES256", kid: "Test" }, "key-not-found"],
    ["an empty key id", { alg: "ES256", kid: "" }, "key-not-found"],
    ["an algorithm of another curve", { alg: "ES384", kid: "test" }, "key-unsuitable"],
    ["an algorithm of another type", { alg: "RS256", kid: "test" }, "key-unsuitable"],
    ["an algorithm no key has", { alg: "EdDSA" }, "key-unsuitable"],
    ["the algorithm twice", '{"alg":"none","alg":"ES256","kid":"test"}', "token-malformed"],
  ])("takes a header with %s", async (_, header, code) => {
    expect(await codeOf(signedWithHeader(header))).toBe(code);
  });

  it("refuses `none` without a signature", async () => {
    const [, claims] = trusted.sign().split(".");
    expect(await codeOf(`${encode({ alg: "none" })}.${claims}.`)).toBe("algorithm-not-allowed");
  });

  it.each(["pem", "der", "jwk"] as const)("refuses HS256 signed with the public key as %s", async (format) => {
    const secret =
      format === "jwk"
        ? JSON.stringify(trusted.publicKey.export({ format }))
        : trusted.publicKey.export({ type: "spki", format });
    const input = `${encode({ alg: "HS256", kid: "test" })}.${trusted.sign().split(".")[1]}`;
    const token = `${input}.${createHmac("sha256", secret).update(input).digest("base64url")}`;
    expect(await codeOf(token)).toBe("algorithm-not-allowed");
  });

  it("refuses a signature of another key under the trusted key's id", async () => {
    const stranger = testIssuer({ issuer: "https://stranger.example", clock });
    expect(await codeOf(stranger.sign({ iss: trusted.issuer }))).toBe("signature-invalid");
  });

  it("refuses a DER signature, a signature of zeros and no signature", async () => {
    const input = trusted.sign().split(".").slice(0, 2).join(".");
    const der = sign("sha256", Buffer.from(input), trusted.privateKey).toString("base64url");
    for (const signature of [der, Buffer.alloc(64).toString("base64url"), ""]) {
      expect(await codeOf(`${input}.${signature}`)).toBe("signature-invalid");
    }
  });

  it("never verifies a token with one character changed, left out or added", async () => {
    const token = trusted.sign();
    const character = fc.constantFrom(..."ABCDEFabcdef0123456789-_.=+/ \n\u00e9\ud83d");
    await fc.assert(
      fc.asyncProperty(fc.nat(token.length), character, fc.nat(2), async (at, replacement, change) => {
        const inserted = change === 0 ? "" : replacement;
        const changed = token.slice(0, at) + inserted + token.slice(change === 2 ? at : at + 1);
        if (changed !== token) expect((await verify(changed)).kind).toBe("rejected");
      }),
      { numRuns: 500 },
    );
    expect((await verify(token)).kind).toBe("verified");
  });

  it("never shows a token or a part of it in what it says", async () => {
    const parts = trusted.sign().split(".");
    for (const token of [parts.join(".."), parts.join("."), `${parts.join(".")}.`, parts.slice(0, 2).join(".")]) {
      const text = JSON.stringify({ ...(await verify(token)), claims: undefined });
      for (const part of parts) expect(text).not.toContain(part);
    }
  });

  it("passes on that keys are unavailable, and recovers", async () => {
    const keys = fakeJwksSource({ issuer: trusted.issuer });
    const check = verifierOf([{ issuer: trusted.issuer, audiences: ["istio-ca"], keys }]);
    keys.fail("connection refused");
    expect(await check(trusted.sign())).toEqual({
      kind: "unavailable",
      code: "keys-unavailable",
      detail: "connection refused",
    });
    expect(await check(trusted.sign({ exp: 1 }))).toMatchObject({ kind: "rejected", code: "token-expired" });
    keys.setKeys([createVerificationKey({ key: trusted.publicKey, kid: "test" })]);
    expect((await check(trusted.sign())).kind).toBe("verified");
  });

  it("asks no source about an issuer it does not trust, nor about another issuer", async () => {
    const asked: string[] = [];
    const issuers = ["https://a.example", "https://b.example"].map((issuer) => {
      const keys = fakeJwksSource({ issuer });
      const find = async (): Promise<KeyLookup> => {
        asked.push(issuer);
        return { kind: "rejected", code: "key-not-found", detail: "none" };
      };
      return { issuer, audiences: ["istio-ca"], keys: { ...keys, find } };
    });
    const check = verifierOf(issuers);
    for (const iss of ["https://c.example", "https://a.example/", "", undefined, "https://b.example"]) {
      await check(trusted.sign({ iss }));
    }
    expect(asked).toEqual(["https://b.example"]);
  });

  it("keeps audiences and keys of issuers apart", async () => {
    const a = testIssuer({ issuer: "https://a.example", clock });
    const b = testIssuer({ issuer: "https://b.example", clock });
    const check = verifierOf([
      { issuer: a.issuer, audiences: ["for-a"], keys: a.keys },
      { issuer: b.issuer, audiences: ["for-b"], keys: b.keys },
    ]);
    expect(await check(a.sign({ aud: "for-a" }))).toMatchObject({ kind: "verified", issuer: a.issuer });
    expect(await check(a.sign({ aud: "for-b" }))).toMatchObject({ code: "audience-mismatch" });
    expect(await check(b.sign({ iss: a.issuer, aud: "for-a" }))).toMatchObject({ code: "signature-invalid" });
  });

  it("tries every key that fits when the token names none", async () => {
    const keys = fakeJwksSource({
      issuer: trusted.issuer,
      keys: [testSigningKey("ES256", "first"), testSigningKey("RS256", "second"), trusted.publicKey].map((key, index) =>
        createVerificationKey({ key, kid: `k${index}` }),
      ),
    });
    const check = verifierOf([{ issuer: trusted.issuer, audiences: ["istio-ca"], keys }]);
    expect((await check(signedWithHeader({ alg: "ES256" }))).kind).toBe("verified");
    expect(await check(signedWithHeader({ alg: "ES256", kid: "k0" }))).toMatchObject({ code: "signature-invalid" });
    expect((await check(signedWithHeader({ alg: "ES256", kid: "k2" }))).kind).toBe("verified");
  });

  it("rejects with the reason of its signal", async () => {
    const verifier = createJwtVerifier(
      { issuers: [{ issuer: trusted.issuer, audiences: ["istio-ca"], keys: trusted.keys }], clockSkewSeconds: 0 },
      clock,
    );
    const reason = new Error("caller went away");
    await expect(verifier.verify(trusted.sign(), AbortSignal.abort(reason))).rejects.toBe(reason);
  });

  it.each<[string, Parameters<typeof createJwtVerifier>[0], string]>([
    ["an issuer twice", { issuers: [issuerEntry({}), issuerEntry({})], clockSkewSeconds: 0 }, "issuer-invalid"],
    ["no audience", { issuers: [issuerEntry({ audiences: [] })], clockSkewSeconds: 0 }, "issuer-invalid"],
    [
      "keys of another issuer",
      { issuers: [issuerEntry({ issuer: "https://b.example" })], clockSkewSeconds: 0 },
      "issuer-invalid",
    ],
    ["no name", { issuers: [issuerEntry({ issuer: "" })], clockSkewSeconds: 0 }, "issuer-invalid"],
    ["no number as skew", { issuers: [], clockSkewSeconds: Number.NaN }, "clock-skew-invalid"],
    ["a negative skew", { issuers: [], clockSkewSeconds: -1 }, "clock-skew-invalid"],
    ["an endless skew", { issuers: [], clockSkewSeconds: Number.POSITIVE_INFINITY }, "clock-skew-invalid"],
  ])("cannot be made with %s", (_, options, code) => {
    try {
      createJwtVerifier(options, clock);
      expect.unreachable();
    } catch (error) {
      expect(error instanceof JwtError ? error.code : error).toBe(code);
    }
  });

  it("verifies nothing when no issuer is trusted or the clock says nothing", async () => {
    expect(await verifierOf([])(trusted.sign())).toMatchObject({ code: "issuer-unknown" });
    const broken = { now: () => new Date(Number.NaN), sleep: () => Promise.resolve() };
    const verifier = createJwtVerifier({ issuers: [issuerEntry({})], clockSkewSeconds: 60 }, broken);
    expect((await verifier.verify(trusted.sign(), signal)).kind).toBe("rejected");
  });
});

function issuerEntry(changes: { issuer?: string; audiences?: readonly string[] }): {
  issuer: string;
  audiences: readonly string[];
  keys: typeof trusted.keys;
} {
  return { issuer: trusted.issuer, audiences: ["istio-ca"], keys: trusted.keys, ...changes };
}

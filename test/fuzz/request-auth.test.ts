import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import type { JwtRule } from "@signet/documents";
import { authenticateRequestNow, type CompiledJwtRules, compileJwtRules } from "@signet/request-auth";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bounded, fuzzParameters, fuzzTimeoutMs } from "./support/cases.ts";
import { mutatedText } from "./support/mutate-text.ts";

const nowSeconds = 1_800_000_000;
const clock = { now: () => new Date(nowSeconds * 1000) };
const keysOf = () => ({ kind: "unavailable", detail: "none" }) as const;

/** Two issuers with a key each, and a stranger who says that he is one of them. */
const a = { issuer: "https://a.example", key: generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey };
const b = { issuer: "https://b.example", key: generateKeyPairSync("ed25519").privateKey };
const stranger = { issuer: a.issuer, key: generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey };

function tokenOf({ issuer, key }: { readonly issuer: string; readonly key: KeyObject }, claims: object): string {
  const alg = key.asymmetricKeyType === "ec" ? "ES256" : "EdDSA";
  const all = { iss: issuer, sub: "alice", exp: nowSeconds + 600, ...claims };
  const [header, payload] = [{ alg, kid: "k1" }, all].map((part) =>
    Buffer.from(JSON.stringify(part)).toString("base64url"),
  );
  const input = Buffer.from(`${header}.${payload}`);
  const signature =
    alg === "ES256" ? sign("sha256", input, { key, dsaEncoding: "ieee-p1363" }) : sign(null, input, key);
  return `${input}.${signature.toString("base64url")}`;
}

/** Those that a rule may accept, and those that none ever may. */
const good = [
  tokenOf(a, { aud: "shop", roles: ["reader"] }),
  tokenOf(a, { aud: "shop", sub: "bob", scope: "one two" }),
  tokenOf(b, { sub: "carol", team: { lead: true } }),
];
const bad = [
  tokenOf(a, { aud: "elsewhere" }),
  tokenOf(a, { aud: "shop", exp: nowSeconds - 600 }),
  tokenOf(b, { nbf: nowSeconds + 600 }),
  tokenOf(stranger, { aud: "shop", sub: "admin" }),
];
const goodClaims = new Set(good.map((token) => JSON.stringify(claimsOf(token))));

/** Whether a text could not stand in a header. */
function holdsControl(text: string): boolean {
  return [...text].some((character) => (character < " " && character !== "\t") || character === "\x7f");
}

function claimsOf(token: string): unknown {
  return JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
}

function ruleOf(
  { issuer, key }: { readonly issuer: string; readonly key: KeyObject },
  members: Partial<JwtRule>,
): JwtRule {
  return {
    issuer,
    audiences: [],
    jwks: JSON.stringify({ keys: [{ ...createPublicKey(key).export({ format: "jwk" }), kid: "k1" }] }),
    fromHeaders: [],
    fromParams: [],
    fromCookies: [],
    forwardOriginalToken: false,
    outputClaimToHeaders: [{ header: "x-user", claim: "sub" }],
    timeoutMs: 5000,
    spaceDelimitedClaims: [],
    position: { file: "rules.yaml", line: 1, column: 1 },
    ...members,
  };
}

const rules = [
  ruleOf(a, { audiences: ["shop"] }),
  ruleOf(b, { fromHeaders: [{ name: "x-token", prefix: "" }], fromParams: ["t"], fromCookies: ["session"] }),
  ruleOf(b, { outputPayloadToHeader: "x-payload" }),
];

/** Rules that stay for all cases, so that what one case leaves behind would be seen in another. */
const worn: Readonly<Record<string, CompiledJwtRules>> = Object.fromEntries(
  (["istio", "strict"] as const).flatMap((profile) =>
    [true, false].map((publishAllPayloads) => [
      `${profile} ${publishAllPayloads}`,
      compileJwtRules(rules, { profile, publishAllPayloads, maxRememberedTokens: 4 }),
    ]),
  ),
);

const words = [
  ...[
    "Bearer ",
    "bearer ",
    ".",
    "..",
    "=",
    "&t=",
    "; session=",
    ",",
    " ",
    "\0",
    "%2e",
    "%25",
    "e30",
    "+",
    "/",
    "-",
    "_",
    "\r\n",
  ],
  ...[...good, ...bad].flatMap((token) => token.split(".")),
  ...[...good, ...bad],
];
const value = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...good, ...bad, ...good.map((token) => `Bearer ${token}`)) },
  {
    weight: 3,
    arbitrary: mutatedText(
      [...good, ...bad].flatMap((token) => [token, `Bearer ${token}`]),
      words,
    ),
  },
  { weight: 1, arbitrary: fc.string({ maxLength: 20, unit: "binary" }) },
);
const name = fc.constantFrom("authorization", "Authorization", "x-token", "cookie", "x-user", "X-Payload", "x-other");
const request = fc.record({
  method: fc.constantFrom("GET", "OPTIONS"),
  path: fc.oneof(
    fc.constant("/"),
    value.map((text) => `/?access_token=${text}`),
    fc.tuple(value, value).map(([one, two]) => `/?t=${one}&t=${two}`),
  ),
  headers: fc.array(
    fc.tuple(name, value).map(([header, text]) => [header, header === "cookie" ? `session=${text}` : text] as const),
    { maxLength: 4 },
  ),
});

describe("a request, whatever it carries", () => {
  it("is authenticated only by claims that a key of one of the rules has signed", {
    timeout: fuzzTimeoutMs,
  }, async () => {
    let accepted = 0;
    await fc.assert(
      fc.property(fc.constantFrom(...Object.keys(worn)), request, (which, made) => {
        const compiled = worn[which];
        if (compiled === undefined) throw new Error(which);
        const asked = { scheme: "https", host: "shop.example", ...made };
        const decide = (by: CompiledJwtRules) =>
          bounded(() => authenticateRequestNow(by, asked, { keysOf, clock }, new AbortController().signal));
        const result = decide(compiled);
        if (result instanceof Promise) throw new Error("all keys were at hand");
        // What was remembered of other requests makes no difference.
        const fresh = compileJwtRules(rules, { ...compiled.options, maxRememberedTokens: 0 });
        expect(decide(fresh)).toEqual(result);
        if (result.kind === "rejected") {
          expect([401, 403]).toContain(result.status);
          expect(holdsControl(result.wwwAuthenticate ?? "")).toBe(false);
          return;
        }
        // Headers that rules write are never the client's.
        const sent = made.headers.map(([header]) => header.toLowerCase());
        for (const header of ["x-user", "x-payload"]) {
          expect(result.upstream.remove.includes(header)).toBe(sent.includes(header));
        }
        for (const [, text] of result.upstream.add) expect(holdsControl(text)).toBe(false);
        if (result.kind === "anonymous") return;
        accepted++;
        expect(goodClaims).toContain(JSON.stringify(result.claims));
        expect(result.rule.issuer).toBe(result.claims.iss);
        expect(result.principal).toBe(`${result.claims.iss}/${result.claims.sub}`);
        for (const [issuer, payload] of result.payloads ?? []) expect(payload.iss).toBe(issuer);
      }),
      fuzzParameters(0.075),
    );
    expect(accepted).toBeGreaterThan(0);
  });
});

describe("a JWKS, whatever it is", () => {
  const sets = rules.map(({ jwks = "" }) => jwks);
  const pieces = [
    '"kty"',
    '"oct"',
    '"k":"AA"',
    '"e":"AQ"',
    '"n"',
    '"crv"',
    '"use":"enc"',
    '"alg":"none"',
    "{",
    "}",
    "[",
    "]",
    ",",
    "null",
  ];
  const [, , , forged = ""] = bad;
  // Members of a key, each now and then another one's, of the wrong type, or missing.
  const own = createPublicKey(a.key).export({ format: "jwk" });
  const odd = fc.oneof(
    fc.constantFrom(undefined, null, 1, "", "AQ", "RSA", "oct", "P-384", "ES384", "enc", ["verify"], {}),
    fc.string(),
  );
  const mostly = (usual: unknown) =>
    fc.oneof({ weight: 6, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: odd });
  const key = fc.record({
    ...{ kty: mostly(own.kty), crv: mostly(own.crv), x: mostly(own.x), y: mostly(own.y), kid: mostly("k1") },
    ...{ alg: mostly("ES256"), use: mostly("sig"), k: mostly(undefined), d: mostly(undefined) },
  });
  const jwksText = fc.oneof(
    mutatedText(sets, pieces),
    fc.array(fc.oneof(key, odd), { maxLength: 4 }).map((keys) => JSON.stringify({ keys })),
  );

  it("throws nothing, and lets nobody in whose key is not in it", { timeout: fuzzTimeoutMs }, async () => {
    let accepted = 0;
    const profile = fc.constantFrom("istio" as const, "strict" as const);
    await fc.assert(
      fc.property(jwksText, profile, (jwks, chosen) => {
        const [first] = rules;
        if (first === undefined) throw new Error("no rules");
        const compiled = bounded(() => compileJwtRules([{ ...first, jwks }], { profile: chosen }));
        const kindOf = (token: string): string => {
          const headers = [["authorization", `Bearer ${token}`]] as const;
          const asked = { method: "GET", scheme: "https", host: "shop.example", path: "/", headers };
          const result = authenticateRequestNow(compiled, asked, { keysOf, clock }, new AbortController().signal);
          return result instanceof Promise ? "pending" : result.kind;
        };
        expect(kindOf(forged)).toBe("rejected");
        if (kindOf(good[0] ?? "") === "authenticated") accepted++;
      }),
      fuzzParameters(0.025),
    );
    expect(accepted).toBeGreaterThan(0);
  });
});

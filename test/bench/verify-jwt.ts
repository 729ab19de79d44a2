import { generateKeyPairSync, hash, type KeyObject, sign, verify } from "node:crypto";
import type { JwtRule } from "@signet/documents";
import { authenticateRequestNow, compileJwtRules, type RequestToAuthenticate } from "@signet/request-auth";
import { systemClock } from "@signet/runtime";
import { createVerifier } from "fast-jwt";
import { jwtVerify } from "jose";
import jsonwebtoken from "jsonwebtoken";
import { type BenchmarkCase, type Contest, compare, type Operation } from "./measure.ts";

/** More different tokens than are taken note of, so that each is new when its turn comes. */
const tokenCount = 6_000;
const issuer = "https://issuer.example";

type Algorithm = "RS256" | "ES256" | "EdDSA";

type Tokens = {
  readonly alg: Algorithm;
  readonly publicKey: KeyObject;
  readonly tokens: readonly string[];
  /** What a bare verification is given: octets, in the form that costs it least. */
  readonly signed: readonly { readonly input: Buffer; readonly signature: Buffer }[];
};

/** Whole requests with one token, from headers to what goes upstream, beside the signature alone and beside other libraries. */
export async function verifyJwt(): Promise<readonly BenchmarkCase[]> {
  const all = (["RS256", "ES256", "EdDSA"] as const).map(makeTokens);
  const [rs256] = all;
  if (rs256 === undefined) throw new Error("no tokens");
  const contests = [...all.flatMap(contestsOf), ...rememberedContests(rs256)];
  const cases: BenchmarkCase[] = [];
  for (const contest of contests) cases.push(await compare(contest));
  return cases;
}

function makeTokens(alg: Algorithm): Tokens {
  const { publicKey, privateKey } = keyPairOf(alg);
  const digest = alg === "EdDSA" ? null : "sha256";
  const made = Array.from({ length: tokenCount }, (_, n) => {
    const text = `${encode({ alg, kid: "k1", typ: "JWT" })}.${encode(claimsOf(n))}`;
    const input = Buffer.from(text);
    const signature = sign(digest, input, privateKey);
    const jws = alg === "ES256" ? sign("sha256", input, { key: privateKey, dsaEncoding: "ieee-p1363" }) : signature;
    return { token: `${text}.${jws.toString("base64url")}`, input, signature };
  });
  return { alg, publicKey, tokens: made.map(({ token }) => token), signed: made };
}

function keyPairOf(alg: Algorithm): { readonly publicKey: KeyObject; readonly privateKey: KeyObject } {
  switch (alg) {
    case "RS256":
      return generateKeyPairSync("rsa", { modulusLength: 2048 });
    case "ES256":
      return generateKeyPairSync("ec", { namedCurve: "P-256" });
    case "EdDSA":
      return generateKeyPairSync("ed25519");
  }
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

/** About what an identity provider says of a person: a token of 1.1 kB. */
function claimsOf(n: number): object {
  const now = Math.floor(Date.now() / 1000);
  return {
    iss: issuer,
    sub: `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`,
    aud: ["shop", "account"],
    exp: now + 36_000,
    iat: now,
    jti: `11111111-1111-4111-8111-${String(n).padStart(12, "0")}`,
    azp: "shop-frontend",
    sid: "9f0c5bf2-3c43-4d44-9f2f-1d7f2c0a6a55",
    scope: "openid profile email",
    realm_access: { roles: ["offline_access", "buyer", "uma_authorization", "default-roles-shop"] },
    resource_access: { account: { roles: ["manage-account", "manage-account-links", "view-profile"] } },
    email_verified: true,
    name: "Alice Example",
    preferred_username: "alice",
    given_name: "Alice",
    family_name: "Example",
    email: "alice@shop.example",
  };
}

function ruleOf(name: string, publicKey: KeyObject): JwtRule {
  return {
    issuer: name,
    audiences: ["shop"],
    jwks: JSON.stringify({ keys: [{ ...publicKey.export({ format: "jwk" }), kid: "k1" }] }),
    fromHeaders: [],
    fromParams: [],
    fromCookies: [],
    forwardOriginalToken: true,
    outputClaimToHeaders: [],
    timeoutMs: 5000,
    spaceDelimitedClaims: [],
    position: { file: "rules.yaml", line: 1, column: 1 },
  };
}

/** What a browser's request through a gateway looks like. */
function requestWith(token: string): RequestToAuthenticate {
  return {
    method: "GET",
    scheme: "https",
    host: "shop.example",
    path: "/cart/items?page=2",
    headers: [
      ["host", "shop.example"],
      ["user-agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"],
      ["accept", "application/json"],
      ["accept-encoding", "gzip, deflate, br"],
      ["x-request-id", "5b3f3a8e-8a3c-4b8b-9a3e-3b6f5d1c2e4f"],
      ["authorization", `Bearer ${token}`],
    ],
  };
}

const signal = new AbortController().signal;

/** Each call is given another of the tokens, and must accept it. */
function ours(requests: readonly RequestToAuthenticate[], rules: readonly JwtRule[]): Operation {
  const compiled = compileJwtRules(rules);
  const dependencies = { keysOf: () => ({ kind: "unavailable", detail: "none" }) as const, clock: systemClock };
  return inTurn(requests, (request) => {
    const result = authenticateRequestNow(compiled, request, dependencies, signal);
    if (result instanceof Promise || result.kind !== "authenticated") throw new Error("a good token was refused");
  });
}

/** Goes through all items, on and on, whoever else is measured meanwhile. */
function inTurn<T>(items: readonly T[], operation: (item: T) => unknown): Operation {
  let next = 0;
  return () => {
    const item = items[next];
    next = (next + 1) % items.length;
    return item === undefined ? undefined : operation(item);
  };
}

function contestsOf({ alg, publicKey, tokens, signed }: Tokens): readonly Contest[] {
  const digest = alg === "EdDSA" ? null : "sha256";
  const requests = tokens.map(requestWith);
  const us = (): Operation => ours(requests, [ruleOf(issuer, publicKey)]);
  const pem = publicKey.export({ type: "spki", format: "pem" }).toString();
  const fastJwt = createVerifier({ key: pem, algorithms: [alg], allowedIss: issuer, allowedAud: "shop", cache: false });
  const contests: Contest[] = [
    {
      case: `${alg}, crypto.verify`,
      ours: us(),
      baseline: inTurn(signed, ({ input, signature }) => mustBe(verify(digest, input, publicKey, signature))),
    },
    {
      case: `${alg}, jose`,
      ours: us(),
      baseline: inTurn(tokens, (token) => jwtVerify(token, publicKey, { issuer, audience: "shop", algorithms: [alg] })),
    },
    { case: `${alg}, fast-jwt`, ours: us(), baseline: inTurn(tokens, (token) => fastJwt(token)) },
  ];
  if (alg === "EdDSA") return contests;
  const options = { issuer, audience: "shop", algorithms: [alg] };
  const baseline = inTurn(tokens, (token) => jsonwebtoken.verify(token, publicKey, options));
  return [...contests, { case: `${alg}, jsonwebtoken`, ours: us(), baseline }];
}

function mustBe(isGood: boolean): void {
  if (!isGood) throw new Error("a good signature was refused");
}

/** Tokens that come again, and rules of many issuers; the algorithm makes no difference to the first. */
function rememberedContests({ publicKey, tokens }: Tokens): readonly Contest[] {
  const again = tokens.slice(0, 100);
  const one = [ruleOf(issuer, publicKey)];
  const thousand = [...one, ...Array.from({ length: 999 }, (_, n) => ruleOf(`https://issuer-${n}.example`, publicKey))];
  const [rest, known] = [tokens.map(requestWith), again.map(requestWith)];
  return [
    {
      case: "again, SHA-256 of the token",
      ours: ours(known, one),
      baseline: inTurn(again, (token) => hash("sha256", token, "hex")),
    },
    { case: "1,000 issuers, one issuer", ours: ours(rest, thousand), baseline: ours(rest, one) },
    { case: "again, 1,000 issuers, one issuer", ours: ours(known, thousand), baseline: ours(known, one) },
  ];
}

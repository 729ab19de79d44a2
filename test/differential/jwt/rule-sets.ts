import { type JwtRule, parseDocuments } from "@signet/documents";
import type { Random } from "../support/random.ts";
import type { SigningKey } from "./signing-keys.ts";

/** A key as it stands in a rule's JWKS. */
export type PublishedKey = { readonly key: SigningKey; readonly keyId?: string; readonly onlyAlgorithm?: string };

/** Rules of one workload, and what the generator of tokens needs to know of them. */
export type RuleSet = {
  readonly index: number;
  readonly rules: readonly JwtRule[];
  /** Of each rule, in the order of `rules`; only those that are published as they should be. */
  readonly keys: ReadonlyMap<JwtRule, readonly PublishedKey[]>;
  /** The document that it was read from. */
  readonly text: string;
};

export const issuers: readonly string[] = [
  "https://a.example",
  "https://a.example/",
  "https://b.example",
  "c",
  "https://münchen.example",
];
export const audiences: readonly string[] = [
  "api",
  "https://api.example",
  "https://api.example/",
  "http://api.example",
  "api.example",
  "http://",
  "/",
  "Api",
];
export const headerNames: readonly string[] = [
  "x-token",
  "X-Jwt-Assertion",
  "authorization",
  "cookie",
  "x-user",
  "origin",
  "User-Agent",
];
export const prefixes: readonly string[] = ["", "Bearer ", "Bearer", "Token=", "JWT ", "  ", "e", "."];
export const paramNames: readonly string[] = ["token", "access_token", "to ken", "a%20b", "tök", "x"];
export const cookieNames: readonly string[] = ["session", "token", "tök", "__Host-t"];
export const claimNames: readonly string[] = [
  "sub",
  "iss",
  "aud",
  "exp",
  "scope",
  "n",
  "big",
  "flag",
  "nested",
  "nested.inner",
  "nested.inner.deep",
  "list",
  "nothing",
  "text",
  "a.b",
  "https://example.com/claim",
  "absent",
  "__proto__",
  "constructor",
  ".",
  "nested.",
  "float",
  "negative",
];
const outputNames: readonly string[] = ["x-user", "X-Claim", "x-claim-2", "x-payload", "x_under"];

/** Makes a document with one to four rules and reads it back, as a user's would be. */
export function makeRuleSet(random: Random, index: number, signingKeys: readonly SigningKey[]): RuleSet {
  const count = random.weighted([
    [4, () => 1],
    [4, () => 2],
    [2, () => 3],
    [1, () => 4],
  ]);
  const used = random.shuffled(issuers).slice(0, random.chance(0.4) ? 1 : 2 + random.below(2));
  const made = Array.from({ length: count }, () => makeRule(random, used, signingKeys));
  const document = {
    apiVersion: "security.istio.io/v1",
    kind: "RequestAuthentication",
    metadata: { name: "generated", namespace: "foo" },
    spec: { jwtRules: made.map(({ rule }) => rule) },
  };
  const text = JSON.stringify(document);
  const { documents, refused } = parseDocuments(text, { file: `rules-${index}.json` });
  const [read] = documents;
  if (read?.kind !== "RequestAuthentication") throw new Error(`refused: ${JSON.stringify(refused)} in ${text}`);
  return {
    index,
    rules: read.jwtRules,
    keys: new Map(read.jwtRules.map((rule, at) => [rule, made[at]?.keys ?? []])),
    text,
  };
}

function makeRule(
  random: Random,
  used: readonly string[],
  signingKeys: readonly SigningKey[],
): { readonly rule: object; readonly keys: readonly PublishedKey[] } {
  const keys = Array.from({ length: 1 + random.below(3) }, () => publishKey(random, random.pick(signingKeys)));
  const entries = keys.map(({ key, keyId, onlyAlgorithm }) => ({
    ...key.jwk,
    ...(keyId === undefined ? {} : { kid: keyId }),
    ...(onlyAlgorithm === undefined ? {} : { alg: onlyAlgorithm }),
    ...(random.chance(0.1) ? { use: random.pick(["sig", "enc"]), key_ops: ["encrypt"] } : {}),
  }));
  const unusable = random.chance(0.3) ? [unusableKey(random, random.pick(signingKeys))] : [];
  const rule = {
    issuer: random.pick(used),
    ...(random.chance(0.5) ? { audiences: random.some(audiences, 0.3) } : {}),
    jwks: JSON.stringify({ keys: random.chance(0.5) ? [...unusable, ...entries] : [...entries, ...unusable] }),
    ...makePlaces(random),
    ...makeOutputs(random),
    ...(random.chance(0.4) ? { forwardOriginalToken: true } : {}),
    ...(random.chance(0.3)
      ? { spaceDelimitedClaims: random.some(["text", "list", "scope", "sub", "n", "__proto__"], 0.5) }
      : {}),
  };
  return { rule, keys };
}

function publishKey(random: Random, key: SigningKey): PublishedKey {
  return {
    key,
    ...(random.chance(0.6) ? { keyId: random.pick([key.name, "k", "k2"]) } : {}),
    ...(random.chance(0.4) ? { onlyAlgorithm: random.pick(key.algorithms) } : {}),
  };
}

/** What Envoy passes over in a set, as validation lets it through. */
function unusableKey(random: Random, { jwk, family }: SigningKey): object {
  return random.weighted<object>([
    [1, () => ({ ...jwk, alg: family === "RSA" ? "ES256" : "RS256" })],
    [1, () => ({ kty: "RSA", n: "AQAB", e: "AQAB" })],
    [1, () => ({ kty: "EC", crv: "P-256", x: "AQAB", y: "AQAB" })],
    [1, () => ({ kty: "EC", crv: "secp256k1", x: "AQAB", y: "AQAB" })],
    [1, () => ({ kty: "OKP", crv: "X25519", x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" })],
    [1, () => ({ kty: "OKP", crv: "Ed25519", x: "AQAB" })],
    [1, () => ({ kty: "AKP", alg: "ML-DSA-44", pub: "AQAB" })],
    [1, () => ({ kty: "oct", k: "A" })],
    [1, () => ({ ...jwk, alg: "none" })],
    [1, () => ({ ...jwk, kid: 7 })],
    [1, () => ({ ...jwk, alg: 7 })],
    [1, () => (family === "EC" ? { ...jwk, crv: jwk["crv"] === "P-256" ? "P-384" : "P-256" } : { ...jwk, kid: "" })],
  ]);
}

function makePlaces(random: Random): object {
  if (random.chance(0.35)) return {};
  return {
    ...(random.chance(0.6)
      ? { fromHeaders: Array.from({ length: 1 + random.below(2) }, () => makeHeaderPlace(random)) }
      : {}),
    ...(random.chance(0.4) ? { fromParams: random.some(paramNames, 0.3) } : {}),
    ...(random.chance(0.4) ? { fromCookies: random.some(cookieNames, 0.4) } : {}),
  };
}

function makeHeaderPlace(random: Random): object {
  const prefix = random.pick(prefixes);
  return {
    name: random.chance(0.85) ? random.pick(["x-token", "X-Jwt-Assertion", "authorization"]) : random.pick(headerNames),
    ...(prefix === "" ? {} : { prefix }),
  };
}

function makeOutputs(random: Random): object {
  return {
    ...(random.chance(0.4) ? { outputPayloadToHeader: random.pick(["x-payload", "X-Payload-2", "x-user"]) } : {}),
    ...(random.chance(0.5)
      ? {
          outputClaimToHeaders: Array.from({ length: 1 + random.below(4) }, () => ({
            // Rarely a header that tokens come in.
            header: random.chance(0.04)
              ? random.pick(["authorization", "x-token", "Cookie"])
              : random.pick(outputNames),
            claim: random.pick(claimNames),
          })),
        }
      : {}),
  };
}

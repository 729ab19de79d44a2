import { maxTokenBytes } from "@signet/jwt";
import { decodeBase64Url } from "./base64url.ts";
import { type Refusal, type RequestAuthErrorCode, refused } from "./errors.ts";
import { type JsonObject, memberOf, parseJsonObject } from "./json-object.ts";
import type { RequestAuthProfile } from "./profile.ts";

/** What a token says about itself. Times in whole seconds since 1970, 0 where there is none. */
export type TokenFacts = {
  readonly kind: "facts";
  readonly algorithm: string;
  /** Empty when there is none. */
  readonly keyId: string;
  readonly claims: JsonObject;
  /** Empty when there is none. */
  readonly issuer: string;
  readonly subject: string;
  readonly notBefore: number;
  readonly expiry: number;
  readonly audiences: readonly string[];
};

/** A token taken apart, nothing of it verified. */
export type ParsedToken = {
  readonly kind: "token";
  /** Absent where it was known before. */
  readonly newHeader: ParsedHeader | undefined;
  readonly facts: TokenFacts;
  /** The second part as it stood in the token. */
  readonly payload: string;
  readonly signingInput: Buffer;
  readonly signature: Buffer;
};

/** How deep the JSON of a token may be nested in each profile; Envoy's parser ends at 100. */
export const maxDepth: Readonly<Record<RequestAuthProfile, number>> = { istio: 100, strict: 32 };

/** How tokens are read. */
type TokenReading = {
  readonly profile: RequestAuthProfile;
  readonly algorithms: ReadonlySet<string>;
  /** Headers that have been read before, by their text: an issuer's tokens mostly have the same. */
  readonly knownHeaders?: ReadonlyMap<string, ParsedHeader>;
};

/**
 * Takes a token apart, or says what is wrong with it first: in the order in which Envoy looks.
 *
 * In profile "istio" empty parts are passed over, so that stray dots are harmless (the signature covers the first two parts
 * alone); "strict" wants the canonical form of RFC 7515 section 7.1 and at most 16 KiB.
 */
export function parseToken(token: string, reading: TokenReading): ParsedToken | Refusal {
  const { profile } = reading;
  const strict = profile === "strict";
  if (strict && token.length > maxTokenBytes) return refused("token-too-large");
  const parts = splitParts(token);
  if (parts === undefined) return refused("token-malformed");
  const [headerPart, payloadPart, signaturePart] = parts;
  if (strict && headerPart.length + payloadPart.length + signaturePart.length + 2 !== token.length) {
    return refused("token-not-canonical");
  }
  const known = reading.knownHeaders?.get(headerPart);
  const header = known ?? parseHeader(headerPart, reading);
  if (header.kind === "refused") return header;
  const payload = parsePart(payloadPart, profile);
  if (payload === "encoding") return refused("payload-encoding-invalid");
  if (payload === "json") return refused("payload-json-invalid");
  const facts = readFacts(header, payload);
  if (facts.kind === "refused") return facts;
  const signature = decodeBase64Url(signaturePart, strict);
  if (signature === undefined) return refused("signature-encoding-invalid");
  return {
    kind: "token",
    newHeader: known === undefined ? header : undefined,
    facts,
    payload: payloadPart,
    signingInput: Buffer.from(signedText(token, parts), "latin1"),
    signature,
  };
}

/** What is under the signature: in a token without stray dots, its own text up to the last one. */
function signedText(token: string, [header, payload, signature]: TokenParts): string {
  const end = header.length + 1 + payload.length;
  return end + 1 + signature.length === token.length ? token.slice(0, end) : `${header}.${payload}`;
}

/** Whether text has the form of a JWT: three parts between dots, whatever is in them. What has not is an opaque token. */
export function hasTokenForm(token: string): boolean {
  return splitParts(token) !== undefined;
}

type TokenParts = readonly [header: string, payload: string, signature: string];

/** The three parts that are not empty, or undefined when there are more or fewer. */
function splitParts(token: string): TokenParts | undefined {
  const first = token.indexOf(".");
  const second = token.indexOf(".", first + 1);
  const isPlain = first > 0 && second > first + 1 && second + 1 < token.length && !token.includes(".", second + 1);
  if (isPlain) return [token.slice(0, first), token.slice(first + 1, second), token.slice(second + 1)];
  return splitWithStrayDots(token);
}

function splitWithStrayDots(token: string): TokenParts | undefined {
  const parts: string[] = [];
  let start = 0;
  while (start < token.length) {
    const dot = token.indexOf(".", start);
    const end = dot === -1 ? token.length : dot;
    if (end > start) {
      if (parts.length === 3) return undefined;
      parts.push(token.slice(start, end));
    }
    start = end + 1;
  }
  const [header, payload, signature] = parts;
  if (header === undefined || payload === undefined || signature === undefined) return undefined;
  return [header, payload, signature];
}

function parsePart(part: string, profile: RequestAuthProfile): JsonObject | "encoding" | "json" {
  const octets = decodeBase64Url(part, profile === "strict");
  if (octets === undefined) return "encoding";
  return parseJsonObject(octets, maxDepth[profile]) ?? "json";
}

/** What is read of the header of a token. */
export type ParsedHeader = { readonly kind: "header"; readonly algorithm: string; readonly keyId: string };

/** Reads `alg` and `kid` alone: keys and places of keys that a token names itself (`jwk`, `jku`, `x5u`, `x5c`) are never looked at. */
function parseHeader(part: string, { profile, algorithms }: TokenReading): ParsedHeader | Refusal {
  const header = parsePart(part, profile);
  if (header === "encoding") return refused("header-encoding-invalid");
  if (header === "json") return refused("header-json-invalid");
  const algorithm = memberOf(header, "alg");
  const keyId = memberOf(header, "kid");
  if (typeof algorithm !== "string") return refused("algorithm-invalid");
  if (!algorithms.has(algorithm)) return refused("algorithm-unsupported");
  if (keyId !== undefined && typeof keyId !== "string") return refused("key-id-invalid");
  // RFC 7515 section 4.1.11: no extension is understood here. Envoy passes over the parameter.
  if (profile === "strict" && memberOf(header, "crit") !== undefined) return refused("critical-header-unsupported");
  return { kind: "header", algorithm, keyId: keyId ?? "" };
}

/** The registered claims (RFC 7519 section 4.1) with their types checked, in Envoy's order. */
function readFacts({ algorithm, keyId }: ParsedHeader, claims: JsonObject): TokenFacts | Refusal {
  const issuer = readString(claims, "iss");
  if (issuer === undefined) return refused("issuer-invalid");
  const subject = readString(claims, "sub");
  if (subject === undefined) return refused("subject-invalid");
  const issuedAt = readInstant(claims, "iat", instantCodes.iat);
  if (typeof issuedAt !== "number") return issuedAt;
  const notBefore = readInstant(claims, "nbf", instantCodes.nbf);
  if (typeof notBefore !== "number") return notBefore;
  const expiry = readInstant(claims, "exp", instantCodes.exp);
  if (typeof expiry !== "number") return expiry;
  if (readString(claims, "jti") === undefined) return refused("token-id-invalid");
  const audiences = readAudiences(memberOf(claims, "aud"));
  if (audiences === undefined) return refused("audience-invalid");
  return { kind: "facts", algorithm, keyId, claims, issuer, subject, notBefore, expiry, audiences };
}

const instantCodes = {
  iat: ["issued-at-invalid", "issued-at-out-of-range"],
  nbf: ["not-before-invalid", "not-before-out-of-range"],
  exp: ["expiry-invalid", "expiry-out-of-range"],
} as const;

/** Empty for a claim that is not there, undefined for one that is no string. */
function readString(claims: JsonObject, name: string): string | undefined {
  const value = memberOf(claims, name);
  if (value === undefined) return "";
  return typeof value === "string" ? value : undefined;
}

/** Cut to whole seconds, as Envoy does, so that 0.5 is 0 and 0 is none. */
function readInstant(
  claims: JsonObject,
  name: string,
  [invalid, outOfRange]: readonly [RequestAuthErrorCode, RequestAuthErrorCode],
): number | Refusal {
  const value = memberOf(claims, name);
  if (value === undefined) return 0;
  if (typeof value !== "number") return refused(invalid);
  return value >= 0 && value < 2 ** 64 ? Math.trunc(value) : refused(outOfRange);
}

function readAudiences(value: unknown): readonly string[] | undefined {
  if (value === undefined) return [];
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  return values.every((item) => typeof item === "string") ? values : undefined;
}

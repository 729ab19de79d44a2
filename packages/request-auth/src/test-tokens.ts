import { constants, createHmac, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import type { JwtRule } from "@signet/documents";
import { authenticateRequest, type RequestAuthenticationResult } from "./authenticate-request.ts";
import { compileJwtRules } from "./compile-jwt-rules.ts";
import type { RequestToAuthenticate } from "./extract-token.ts";
import type { RequestAuthOptions } from "./options.ts";
import type { RequestAuthProfile } from "./profile.ts";
import type { KeysOf } from "./rule-keys.ts";

/** Keys of one process, so that RSA is paid for once. */
export const keys: Readonly<Record<"rsa" | "otherRsa" | "smallRsa" | "ec" | "otherEc" | "ed", KeyObject>> = {
  rsa: generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey,
  otherRsa: generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey,
  smallRsa: generateKeyPairSync("rsa", { modulusLength: 1024 }).privateKey,
  ec: generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey,
  otherEc: generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey,
  ed: generateKeyPairSync("ed25519").privateKey,
};

export const secret: Buffer = Buffer.from("a secret of thirty-two octets ok");
export const clock: { now(): Date } = { now: () => new Date("2030-01-02T03:04:05.678Z") };
export const nowSeconds: number = Math.floor(clock.now().getTime() / 1000);

/** The public JWK of a key. */
export function jwkOf(key: KeyObject, members: object = {}): object {
  return { ...createPublicKey(key).export({ format: "jwk" }), ...members };
}

export const secretJwk: object = { kty: "oct", k: secret.toString("base64url") };

/** How a token of a test is made; ES256 with `keys.ec` unless it says otherwise. */
export type TokenOptions = {
  readonly alg?: string;
  readonly key?: KeyObject;
  /** Signs with HMAC and this secret. */
  readonly hmac?: Buffer | string;
  readonly digest?: string;
  readonly pss?: boolean;
  readonly header?: object;
  readonly rawHeader?: string;
  readonly rawPayload?: string | Buffer;
  readonly signature?: (signature: Buffer) => Buffer;
};

/** Returns a token with exactly these claims. */
export function token(claims: object, options: TokenOptions = {}): string {
  const { alg = "ES256", header = {}, rawHeader = JSON.stringify({ alg, ...header }) } = options;
  const payload = Buffer.from(options.rawPayload ?? JSON.stringify(claims)).toString("base64url");
  const input = `${Buffer.from(rawHeader).toString("base64url")}.${payload}`;
  const signature = signatureOf(Buffer.from(input), options);
  return `${input}.${(options.signature?.(signature) ?? signature).toString("base64url")}`;
}

function signatureOf(input: Buffer, { hmac, pss, key = keys.ec, digest = "sha256" }: TokenOptions): Buffer {
  if (hmac !== undefined) return createHmac(digest, hmac).update(input).digest();
  if (key.asymmetricKeyType === "ed25519" || key.asymmetricKeyType?.startsWith("ml-")) return sign(null, input, key);
  if (key.asymmetricKeyType === "ec") return sign(digest, input, { key, dsaEncoding: "ieee-p1363" });
  if (pss !== true) return sign(digest, input, key);
  return sign(digest, input, {
    key,
    padding: constants.RSA_PKCS1_PSS_PADDING,
    saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
  });
}

/** A good token of issuer "a". */
export function tokenOfA(claims: object = {}, options: TokenOptions = {}): string {
  return token({ iss: "a", sub: "alice", ...claims }, options);
}

/** A good token of issuer "b". */
export function tokenOfB(claims: object = {}, options: TokenOptions = {}): string {
  return token({ iss: "b", sub: "bob", ...claims }, { key: keys.otherEc, ...options });
}

/** Returns a rule with nothing special; issuer "a" and its key unless said otherwise. */
export function rule(members: Partial<JwtRule> & { readonly keySet?: readonly object[] } = {}): JwtRule {
  const { keySet = [jwkOf(keys.ec)], ...others } = members;
  return {
    issuer: "a",
    audiences: [],
    ...(others.jwksUri === undefined ? { jwks: JSON.stringify({ keys: keySet }) } : {}),
    fromHeaders: [],
    fromParams: [],
    fromCookies: [],
    forwardOriginalToken: false,
    outputClaimToHeaders: [],
    timeoutMs: 5000,
    spaceDelimitedClaims: [],
    position: { file: "rules.yaml", line: 1, column: 1 },
    ...others,
  };
}

/** The rule of issuer "b". */
export function ruleOfB(members: Partial<JwtRule> = {}): JwtRule {
  return rule({ issuer: "b", keySet: [jwkOf(keys.otherEc)], ...members });
}

export const noKeys: KeysOf = async () => ({ kind: "unavailable", detail: "none in this test" });

/** A request to ask about, with defaults. */
export type TestRequest = Partial<RequestToAuthenticate> & {
  /** Becomes `authorization: Bearer ...`. */
  readonly bearer?: string;
  readonly profile?: RequestAuthProfile;
  readonly options?: RequestAuthOptions;
  readonly keysOf?: KeysOf;
};

/** A request with all its members. */
export function fullRequest({ bearer, headers = [], ...others }: TestRequest): RequestToAuthenticate {
  const { method = "GET", scheme = "https", host = "shop.example", path = "/" } = others;
  const all = bearer === undefined ? headers : [["Authorization", `Bearer ${bearer}`] as const, ...headers];
  return { method, scheme, host, path, headers: all };
}

/** Asks `rules` about a request. */
export function ask(rules: readonly JwtRule[], request: TestRequest): Promise<RequestAuthenticationResult> {
  const { profile = "istio", options = {}, keysOf = noKeys } = request;
  const compiled = compileJwtRules(rules, { profile, ...options });
  return authenticateRequest(compiled, fullRequest(request), { keysOf, clock }, new AbortController().signal);
}

/** "anonymous", the principal, or the code: what most tests compare. */
export async function verdict(rules: readonly JwtRule[], request: TestRequest): Promise<string | undefined> {
  const result = await ask(rules, request);
  switch (result.kind) {
    case "anonymous":
      return "anonymous";
    case "authenticated":
      return result.principal ?? "nobody";
    case "rejected":
      return result.code;
  }
}

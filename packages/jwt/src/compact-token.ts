import { isUtf8 } from "node:buffer";
import { type JwtRejected, rejected } from "./errors.ts";
import { parseJsonObject } from "./strict-json.ts";

/** Longest token, in bytes. */
export const maxTokenBytes = 16_384;

/** The JOSE header of a token (RFC 7515 section 4). */
export type JwtHeader = Readonly<Record<string, unknown>>;

/** The claims of a token (RFC 7519 section 4), as they were parsed. */
export type JwtClaims = Readonly<Record<string, unknown>>;

/** A token taken apart. Nothing in it is to be believed yet. */
export type CompactToken = {
  readonly kind: "token";
  readonly header: JwtHeader;
  readonly claims: JwtClaims;
  /** The octets under the signature: header, dot, claims (RFC 7515 section 5.2 step 8). */
  readonly signingInput: Buffer;
  readonly signature: Buffer;
};

/**
 * Takes a token in the JWS compact serialization apart (RFC 7515 section 7.1), or says why it is none.
 *
 * At most 16 KiB; exactly three parts, each canonical base64url without padding, so that no two texts are the same
 * token; header and claims UTF-8 JSON objects without duplicate members, nested at most 32 deep.
 */
export function parseCompactToken(token: string): CompactToken | JwtRejected {
  if (token.length > maxTokenBytes) {
    return rejected("token-too-large", `token of ${token.length} characters exceeds ${maxTokenBytes}`);
  }
  const firstDot = token.indexOf(".");
  const lastDot = token.lastIndexOf(".");
  if (firstDot < 0 || firstDot === lastDot || token.indexOf(".", firstDot + 1) !== lastDot) {
    return rejected("token-malformed", "token has not exactly three parts");
  }
  const header = parseObjectPart("header", token.slice(0, firstDot));
  if (header.kind === "rejected") return header;
  const claims = parseObjectPart("claims", token.slice(firstDot + 1, lastDot));
  if (claims.kind === "rejected") return claims;
  const signature = decodeBase64Url(token.slice(lastDot + 1));
  if (signature === undefined) return rejected("token-malformed", "signature is not canonical base64url");
  // Every character before the last dot has been seen to be base64url or the dot, so latin1 loses nothing.
  const signingInput = Buffer.from(token.slice(0, lastDot), "latin1");
  return { kind: "token", header: header.value, claims: claims.value, signingInput, signature };
}

type ObjectPart = { readonly kind: "object"; readonly value: Readonly<Record<string, unknown>> } | JwtRejected;

function parseObjectPart(what: "header" | "claims", part: string): ObjectPart {
  const bytes = decodeBase64Url(part);
  if (bytes === undefined) return rejected("token-malformed", `${what}: not canonical base64url`);
  // Replacement characters for broken UTF-8 would make different octets the same name.
  if (!isUtf8(bytes)) return rejected("token-malformed", `${what}: not UTF-8`);
  try {
    return { kind: "object", value: parseJsonObject(bytes.toString("utf8")) };
  } catch (error) {
    return rejected("token-malformed", `${what}: ${error instanceof Error ? error.message : "not valid JSON"}`);
  }
}

/** The octets of canonical base64url text (RFC 7515 section 2), or undefined: no padding, no stray bits, no white space. */
export function decodeBase64Url(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, "base64url");
  return bytes.toString("base64url") === text ? bytes : undefined;
}

/** Why a token is refused; final, asking again with the same token changes nothing but time. */
export type JwtRejectionCode =
  | "token-malformed"
  | "token-too-large"
  | "critical-header-unsupported"
  | "algorithm-not-allowed"
  | "issuer-unknown"
  | "audience-mismatch"
  | "expiry-missing"
  | "token-expired"
  | "token-not-yet-valid"
  | "subject-missing"
  | "key-not-found"
  | "key-unsuitable"
  | "signature-invalid";

/** Everything that can be wrong with a token, an issuer's keys, or the way to them. */
export type JwtErrorCode =
  | JwtRejectionCode
  | "keys-unavailable"
  | "issuer-invalid"
  | "clock-skew-invalid"
  | "url-refused"
  | "address-refused"
  | "address-range-invalid"
  | "proxy-invalid"
  | "credential-unreadable"
  | "fetch-failed"
  | "http-status"
  | "redirect-refused"
  | "response-too-large"
  | "discovery-malformed"
  | "issuer-mismatch"
  | "jwks-malformed"
  | "jwks-without-usable-keys";

/**
 * The one error class of this package; `code` is closed, `message` is for people and never holds a token or a key.
 * @example
 * ```ts
 * import { decodeJwtUnverified, JwtError } from "@signet/jwt";
 * try {
 *   decodeJwtUnverified("not a token");
 * } catch (error) {
 *   if (!(error instanceof JwtError)) throw error;
 *   error.code; // "token-malformed"
 * }
 * ```
 */
export class JwtError extends Error {
  override readonly name = "JwtError";
  readonly code: JwtErrorCode;

  constructor(code: JwtErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** A token refused: the returned, not thrown, form of a `JwtRejectionCode`. */
export type JwtRejected = { readonly kind: "rejected"; readonly code: JwtRejectionCode; readonly detail: string };

/** Returns the refusal of a token. */
export function rejected(code: JwtRejectionCode, detail: string): JwtRejected {
  return { kind: "rejected", code, detail };
}

const maxQuotedLength = 200;

/** Text from outside as it may stand in a message: in quotes, control characters escaped, cut at 200 characters. */
export function quote(text: string): string {
  return text.length > maxQuotedLength ? `${JSON.stringify(text.slice(0, maxQuotedLength))}...` : JSON.stringify(text);
}

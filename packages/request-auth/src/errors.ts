import type { JwtRule } from "@signet/documents";

/** Why a request is refused. Closed; the first is of the option `require`, the last four are of the profile "strict" alone. */
export type RequestAuthErrorCode =
  | "token-missing"
  | "token-malformed"
  | "header-encoding-invalid"
  | "header-json-invalid"
  | "algorithm-invalid"
  | "algorithm-unsupported"
  | "key-id-invalid"
  | "payload-encoding-invalid"
  | "payload-json-invalid"
  | "issuer-invalid"
  | "subject-invalid"
  | "issued-at-invalid"
  | "issued-at-out-of-range"
  | "not-before-invalid"
  | "not-before-out-of-range"
  | "expiry-invalid"
  | "expiry-out-of-range"
  | "token-id-invalid"
  | "audience-invalid"
  | "signature-encoding-invalid"
  | "issuer-unknown"
  | "token-not-yet-valid"
  | "token-expired"
  | "audience-mismatch"
  | "keys-unavailable"
  | "keys-invalid"
  | "key-not-found"
  | "signature-length-invalid"
  | "signature-invalid"
  | "token-too-large"
  | "token-not-canonical"
  | "critical-header-unsupported"
  | "expiry-missing";

/** The body of the answer for each code. Where Envoy has the case these are its texts, since clients and dashboards match on them. */
export const bodyOf: Readonly<Record<RequestAuthErrorCode, string>> = {
  "token-missing": "Jwt is missing",
  "token-malformed": "Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections",
  "header-encoding-invalid": "Jwt header is an invalid Base64url encoded",
  "header-json-invalid": "Jwt header is an invalid JSON",
  "algorithm-invalid": "Jwt header [alg] field is required and must be a string",
  "algorithm-unsupported": "Jwt header [alg] is not supported",
  "key-id-invalid": "Jwt header [kid] field is not a string",
  "payload-encoding-invalid": "Jwt payload is an invalid Base64url encoded",
  "payload-json-invalid": "Jwt payload is an invalid JSON",
  "issuer-invalid": "Jwt payload [iss] field is not a string",
  "subject-invalid": "Jwt payload [sub] field is not a string",
  "issued-at-invalid": "Jwt payload [iat] field is not an integer",
  "issued-at-out-of-range": "Jwt payload [iat] field is not a positive 64 bit integer",
  "not-before-invalid": "Jwt payload [nbf] field is not an integer",
  "not-before-out-of-range": "Jwt payload [nbf] field is not a positive 64 bit integer",
  "expiry-invalid": "Jwt payload [exp] field is not an integer",
  "expiry-out-of-range": "Jwt payload [exp] field is not a positive 64 bit integer",
  "token-id-invalid": "Jwt payload [jti] field is not a string",
  "audience-invalid": "Jwt payload [aud] field is not a string or string list",
  "signature-encoding-invalid": "Jwt signature is an invalid Base64url encoded",
  "issuer-unknown": "Jwt issuer is not configured",
  "token-not-yet-valid": "Jwt not yet valid",
  "token-expired": "Jwt is expired",
  "audience-mismatch": "Audiences in Jwt are not allowed",
  "keys-unavailable": "Jwks remote fetch is failed",
  "keys-invalid": "Jwks doesn't have any valid public key",
  "key-not-found": "Jwks doesn't have key to match kid or alg from Jwt",
  "signature-length-invalid": "Jwt ED25519 signature is wrong length",
  "signature-invalid": "Jwt verification fails",
  "token-too-large": "Jwt is too large",
  "token-not-canonical": "Jwt is not in canonical form",
  "critical-header-unsupported": "Jwt header [crit] is not supported",
  "expiry-missing": "Jwt payload [exp] field is required",
};

/** The status of the answer: a token for somebody else is understood and forbidden, everything else is unauthenticated. */
export function statusOf(code: RequestAuthErrorCode): 401 | 403 {
  return code === "audience-mismatch" ? 403 : 401;
}

/** What one rule has against a token. */
export type Refusal = { readonly kind: "refused"; readonly code: RequestAuthErrorCode; readonly rule?: JwtRule };

/** Returns a refusal, by `rule` when it was one. */
export function refused(code: RequestAuthErrorCode, rule?: JwtRule): Refusal {
  return rule === undefined ? { kind: "refused", code } : { kind: "refused", code, rule };
}

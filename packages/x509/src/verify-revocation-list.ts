import { bytesEqual } from "./bytes.ts";
import type { Certificate } from "./certificate.ts";
import { describeName } from "./distinguished-name.ts";
import { X509Error } from "./errors.ts";
import type { RevocationList } from "./revocation-list.ts";
import { fitsKey, verifyBytes } from "./signature-algorithm.ts";

/** Why a revocation list does not speak for an issuer. */
export type RevocationListErrorCode =
  | "issuer-other"
  | "key-usage-missing"
  | "critical-extension-unknown"
  | "algorithm-weak"
  | "algorithm-unsupported"
  | "signature-invalid";

/** Whether a revocation list speaks for an issuer. */
export type RevocationListResult =
  | { readonly kind: "verified" }
  | { readonly kind: "rejected"; readonly code: RevocationListErrorCode; readonly detail: string };

/**
 * Whether `issuer` has signed the list, and may (RFC 5280 sections 5.1.1.3 and 6.3.3 (f) and (g)): the same name byte by
 * byte, cRLSign where there is a key usage, no critical extension that is not understood, a signature that is neither
 * SHA-1 nor MD5. Dates are not looked at, nor what the list revokes.
 * @example
 * ```ts
 * import { type Certificate, parseRevocationLists, verifyRevocationList } from "@signet/x509";
 * export function isCovered(issuer: Certificate, crlPem: string): boolean {
 *   return parseRevocationLists(crlPem).some((list) => verifyRevocationList(list, issuer).kind === "verified");
 * }
 * ```
 */
export function verifyRevocationList(list: RevocationList, issuer: Certificate): RevocationListResult {
  if (!bytesEqual(list.issuer, issuer.subject)) {
    return rejected("issuer-other", `is of ${describeName(list.issuer)}`);
  }
  if (issuer.keyUsage?.has("cRLSign") === false) {
    return rejected("key-usage-missing", "is of an issuer that may not sign revocation lists");
  }
  const [critical] = list.unknownCriticalExtensions;
  if (critical !== undefined) {
    return rejected("critical-extension-unknown", `has the critical extension ${critical}, which is unknown`);
  }
  return signatureResult(list, issuer);
}

function signatureResult(list: RevocationList, issuer: Certificate): RevocationListResult {
  const { signatureAlgorithm: algorithm, tbs: data, signature } = list;
  if (algorithm === "weak") {
    return rejected("algorithm-weak", "is signed with MD5 or SHA-1");
  }
  if (algorithm === "unknown") {
    return rejected("algorithm-unsupported", "is signed with an algorithm that is not supported");
  }
  try {
    if (fitsKey(algorithm, issuer.publicKeyInfo) && verifyBytes(algorithm, { data, signature }, issuer.publicKey)) {
      return { kind: "verified" };
    }
  } catch (error) {
    if (!(error instanceof X509Error)) {
      throw error;
    }
  }
  return rejected("signature-invalid", "is not signed by the issuer's key");
}

function rejected(code: RevocationListErrorCode, what: string): RevocationListResult {
  return { kind: "rejected", code, detail: `revocation list ${what}` };
}

/**
 * Why no certificate was issued, or why a signing CA cannot be opened.
 *
 * - `ca-not-ready`: the signing CA has no signing certificate or no trust bundle yet
 * - `ca-expired`: the signing certificate has expired
 * - `csr-malformed`, `csr-too-large`: the CSR is not PKCS#10 in PEM, or over 64 KiB
 * - `csr-key-unsupported`: the CSR's key is of a kind nobody here can verify
 * - `csr-key-weak`: the CSR's key is of a known kind and outside the key policy
 * - `csr-signature-invalid`: the CSR does not prove possession of its key
 * - `ttl-too-long`: the requested lifetime exceeds the maximum
 * - `serving-name-malformed`: a name for a serving certificate is neither DNS name nor IP address, or there is none
 * - `signing-failed`: the signing CA threw
 * - `signer-unavailable`: the backend that signs cannot be reached, is sealed or has no room; the caller should come back
 * - `signer-refused`: the backend that signs refused, for lack of a permission or by its own rules
 * - `lifetime-unsupported`: the backend cannot sign for so short a time; the message names its minimum and is for callers
 * - `overloaded`: more calls wait for a signature than may; the caller should come back later
 * - `issued-svid-mismatch`: what the signing CA returned is not what the template said
 * - `name-constrained`: the signing CA's certificates do not allow it to sign for the name
 * - `ca-roots-replaced`: a new set of CA files would leave peers or certificates in use without a root that they know
 * - `ca-material-invalid`: certificate, key, chain and roots of a CA do not fit together
 */
export type CaErrorCode =
  | "ca-not-ready"
  | "ca-expired"
  | "csr-malformed"
  | "csr-too-large"
  | "csr-key-unsupported"
  | "csr-key-weak"
  | "csr-signature-invalid"
  | "ttl-too-long"
  | "serving-name-malformed"
  | "signing-failed"
  | "signer-unavailable"
  | "signer-refused"
  | "lifetime-unsupported"
  | "overloaded"
  | "issued-svid-mismatch"
  | "name-constrained"
  | "ca-roots-replaced"
  | "ca-material-invalid";

/**
 * The one error class of this package; `code` is closed, `message` is for people, `cause` is what a lower package threw.
 * @example
 * ```ts
 * import { CaError } from "@signet/ca";
 * const error = new CaError("ttl-too-long", "requested lifetime 2161h0m0s exceeds 2160h0m0s");
 * error.code; // "ttl-too-long"
 * ```
 */
export class CaError extends Error {
  override readonly name = "CaError";
  readonly code: CaErrorCode;

  constructor(code: CaErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

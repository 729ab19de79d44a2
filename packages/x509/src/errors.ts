/** What is wrong with a key, a CSR, a certificate or what was asked to be signed. */
export type X509ErrorCode =
  | "pem-malformed"
  | "pem-too-large"
  | "private-key-malformed"
  | "public-key-malformed"
  | "key-unsupported"
  | "csr-too-large"
  | "csr-malformed"
  | "certificate-malformed"
  | "revocation-list-malformed"
  | "signature-algorithm-unsupported"
  | "trust-bundle-empty"
  | "svid-uri-count"
  | "spiffe-id-invalid"
  | "template-invalid"
  | "issuer-unsuitable"
  | "serial-number-invalid";

/**
 * The one error class of this package; `code` is closed, `message` is for people.
 * @example
 * ```ts
 * import { parseCsr, X509Error, type X509ErrorCode } from "@signet/x509";
 * export function refusal(pem: string): X509ErrorCode | undefined {
 *   try {
 *     parseCsr(pem);
 *   } catch (error) {
 *     if (error instanceof X509Error) return error.code;
 *     throw error;
 *   }
 *   return undefined;
 * }
 * ```
 */
export class X509Error extends Error {
  override readonly name = "X509Error";
  readonly code: X509ErrorCode;

  constructor(code: X509ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

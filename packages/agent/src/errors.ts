/**
 * What went wrong on the way to an SVID or to its consumers.
 *
 * - `ca-root-unusable`: the root certificates to verify the CA by cannot be read, or are none
 * - `ca-response-incomplete`: the CA sent fewer elements than a certificate and a root
 * - `ca-response-malformed`: the CA sent what is no certificate
 * - `issued-key-mismatch`: the certificate is not for the key of the CSR
 * - `issued-svid-rejected`: the certificate is no valid X509-SVID under the bundle that came with it
 * - `identity-cache-unusable`: the identity that was kept in memory, or the place for it, cannot be used
 * - `output-unwritable`: the files of the identity cannot be written
 * - `reload-failed`: the program that reads them cannot be told
 * - `secret-files-unusable`: files that a secret is to be made of cannot be read, or do not belong together
 * - `socket-directory-unusable`: the directory of the SDS socket cannot be made or read
 */
export type AgentErrorCode =
  | "ca-root-unusable"
  | "ca-response-incomplete"
  | "ca-response-malformed"
  | "issued-key-mismatch"
  | "issued-svid-rejected"
  | "identity-cache-unusable"
  | "output-unwritable"
  | "reload-failed"
  | "secret-files-unusable"
  | "socket-directory-unusable";

/**
 * The one error class of this package; `code` is closed, `message` is for people and holds no secret.
 * @example
 * ```ts
 * import { AgentError } from "@signet/agent";
 * const error = new AgentError("ca-response-incomplete", "the CA's answer has 1 element");
 * error.code; // "ca-response-incomplete"
 * ```
 */
export class AgentError extends Error {
  override readonly name = "AgentError";
  readonly code: AgentErrorCode;

  constructor(code: AgentErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

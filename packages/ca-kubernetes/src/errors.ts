/**
 * Why the state of a CA cannot be had from Kubernetes.
 *
 * - `secret-incomplete`: the Secret of a plugged-in CA holds some of its files and not all; the message names the missing ones
 * - `secret-malformed`: a file of the Secret is not base64, not text, or over 1 MiB
 * - `secret-foreign`: a Secret stands where the self-signed CA is to be kept, and it holds a CA that somebody plugged in
 * - `secret-taken`: another replica saved its CA first; that one is to be loaded
 * - `secret-unavailable`: the API server did not answer, or refused, for as long as a start waits; `cause` is the last error
 * - `root-unreadable`: the file with the root of an external CA cannot be read
 */
export type CaKubernetesErrorCode =
  | "secret-incomplete"
  | "secret-malformed"
  | "secret-foreign"
  | "secret-taken"
  | "secret-unavailable"
  | "root-unreadable";

/**
 * The one error class of this package; `code` is closed, `message` is for people and never holds what a Secret holds.
 *
 * A signing CA throws `CaError` instead, as every signing CA does.
 * @example
 * ```ts
 * import { CaKubernetesError } from "@signet/ca-kubernetes";
 * const error = new CaKubernetesError("secret-incomplete", "Secret istio-system/cacerts has no ca-key.pem");
 * error.code; // "secret-incomplete"
 * ```
 */
export class CaKubernetesError extends Error {
  override readonly name = "CaKubernetesError";
  readonly code: CaKubernetesErrorCode;

  constructor(code: CaKubernetesErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

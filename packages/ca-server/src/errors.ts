/**
 * Why the CA server cannot start.
 *
 * - `cacerts-incomplete`: the plugged-in CA's directory holds some of its files and not all
 * - `cacerts-unreadable`: the directory or one of its files cannot be read
 * - `state-malformed`: the kept CA state is not what this server writes; it is never replaced by a new root
 * - `state-exposed`: the kept private key can be read by every user of the machine, or is somebody else's file
 * - `mesh-config-invalid`: Istio's mesh config cannot be read, or is not what it should be
 * - `serving-files-invalid`: the files of the server's own certificate cannot be read, or do not fit together
 */
export type CaServerErrorCode =
  | "cacerts-incomplete"
  | "cacerts-unreadable"
  | "state-malformed"
  | "state-exposed"
  | "mesh-config-invalid"
  | "serving-files-invalid";

/**
 * The one error class of this package; `code` is closed, `message` is for people.
 * @example
 * ```ts
 * import { CaServerError } from "@signet/ca-server";
 * const error = new CaServerError("cacerts-incomplete", "./etc/cacerts has no ca-key.pem");
 * error.code; // "cacerts-incomplete"
 * ```
 */
export class CaServerError extends Error {
  override readonly name = "CaServerError";
  readonly code: CaServerErrorCode;

  constructor(code: CaServerErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

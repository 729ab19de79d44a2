/**
 * What went wrong between a program and its identity or its peers.
 *
 * - `endpoint-malformed`: what names the socket of the Workload API is neither `unix:` with a path nor a path
 * - `response-malformed`: the Workload API answered with what is no SVID or bundle
 * - `no-identity`: there is none, as no answer has come within the time that was given
 * - `peer-unverified`: the peer showed no certificate, or none that a trust bundle vouches for
 * - `peer-unauthorized`: the peer is who it says, and that is nobody who may be here
 */
export type TlsErrorCode =
  | "endpoint-malformed"
  | "response-malformed"
  | "no-identity"
  | "peer-unverified"
  | "peer-unauthorized";

/**
 * The one error class of this package; `code` is closed, `message` is for people and holds no secret.
 * @example
 * ```ts
 * import { TlsError } from "@signet/tls";
 * new TlsError("no-identity", "the Workload API has not answered within 5s").code; // "no-identity"
 * ```
 */
export class TlsError extends Error {
  override readonly name = "TlsError";
  readonly code: TlsErrorCode;

  constructor(code: TlsErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

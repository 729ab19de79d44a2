/** Why a listener cannot be opened or a channel not be made. */
export type GrpcErrorCode =
  | "address-in-use"
  | "address-malformed"
  | "address-unavailable"
  | "listen-failed"
  | "method-already-bound"
  | "socket-directory-missing"
  | "socket-in-use"
  | "socket-path-occupied"
  | "socket-path-too-long"
  | "tls-material-invalid";

/**
 * What goes wrong outside a call; the outcome of a call is a StatusError.
 * @example
 * ```ts
 * import { connect, GrpcError } from "@signet/grpc";
 * try {
 *   connect({ address: "localhost" });
 * } catch (error) {
 *   if (error instanceof GrpcError) error.code; // "address-malformed"
 * }
 * ```
 */
export class GrpcError extends Error {
  override readonly name = "GrpcError";
  readonly code: GrpcErrorCode;

  constructor(code: GrpcErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

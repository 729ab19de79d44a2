/** What can be wrong with how a gateway is used. Refused requests are no errors: they are answered. */
export type GatewayErrorCode = "not-admitted" | "option-invalid";

/**
 * The one error class of this package; `code` is closed, `message` is for people and never holds a token or a header's value.
 * @example
 * ```ts
 * import { type Gateway, GatewayError } from "@signet/gateway";
 * function whoIs(gateway: Gateway, request: Request): string | undefined {
 *   try {
 *     return gateway.authOf(request).principal;
 *   } catch (error) {
 *     if (error instanceof GatewayError) error.code; // "not-admitted": the adapter has not seen this request
 *     throw error;
 *   }
 * }
 * ```
 */
export class GatewayError extends Error {
  override readonly name = "GatewayError";
  readonly code: GatewayErrorCode;

  constructor(code: GatewayErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

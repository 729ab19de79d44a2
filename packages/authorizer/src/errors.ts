/** What can be wrong with what an authorizer is given. Faults of single documents are no errors: they are returned. */
export type AuthorizerErrorCode =
  | "attributes-malformed"
  | "attributes-too-large"
  | "documents-unreadable"
  | "documents-too-many";

/**
 * The one error class of this package; `code` is closed, `message` is for people and never holds a token or a header's value.
 * @example
 * ```ts
 * import { AuthorizerError, parseAttributeContext } from "@signet/authorizer";
 * try {
 *   parseAttributeContext({ request: { http: { method: 7 } } });
 * } catch (error) {
 *   if (error instanceof AuthorizerError) error.code; // "attributes-malformed"
 * }
 * ```
 */
export class AuthorizerError extends Error {
  override readonly name = "AuthorizerError";
  readonly code: AuthorizerErrorCode;

  constructor(code: AuthorizerErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

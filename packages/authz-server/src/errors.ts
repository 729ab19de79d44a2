/** What can be wrong with how the authorization server is set up. */
export type AuthzServerErrorCode = "policies-unreadable" | "mesh-config-invalid" | "listen-failed";

/**
 * The one error class of this package; `code` is closed, `message` is for people.
 * @example
 * ```ts
 * import { AuthzServerError } from "@signet/authz-server";
 * const error = new AuthzServerError("policies-unreadable", "/etc/signet/policies cannot be read: there is nothing of that name");
 * error.code; // "policies-unreadable"
 * ```
 */
export class AuthzServerError extends Error {
  override readonly name = "AuthzServerError";
  readonly code: AuthzServerErrorCode;

  constructor(code: AuthzServerErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

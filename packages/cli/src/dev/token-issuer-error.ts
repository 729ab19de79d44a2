/** What can be wrong with the state of the token issuer, or with the token it is asked for. */
export type TokenIssuerErrorCode = "state-missing" | "state-damaged" | "token-request-invalid";

/** The error of the token issuer; `code` is closed, `message` is for people and never holds a key or a token. */
export class TokenIssuerError extends Error {
  override readonly name = "TokenIssuerError";
  readonly code: TokenIssuerErrorCode;

  constructor(code: TokenIssuerErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

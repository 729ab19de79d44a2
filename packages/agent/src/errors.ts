/** What went wrong on the way to an SVID or to its consumers. */
export type AgentErrorCode =
  | "ca-root-unusable"
  | "ca-response-incomplete"
  | "ca-response-malformed"
  | "issued-key-mismatch"
  | "issued-svid-rejected"
  | "socket-directory-unusable";

/** The one error class of this package; `code` is closed, `message` is for people and holds no secret. */
export class AgentError extends Error {
  override readonly name = "AgentError";
  readonly code: AgentErrorCode;

  constructor(code: AgentErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** What can be wrong between us and an API server. */
export type KubernetesErrorCode =
  | "unauthorized"
  | "forbidden"
  | "not-found"
  | "already-exists"
  | "conflict"
  | "gone"
  | "invalid"
  | "too-many-requests"
  | "unavailable"
  | "deadline-exceeded"
  | "response-too-large"
  | "response-malformed"
  | "config-invalid";

/**
 * The one error class of this package; `code` is closed, `message` is for people and never holds a token, a key or what was sent.
 *
 * `unauthorized` 401, `forbidden` 403, `not-found` 404, `already-exists` and `conflict` 409, `gone` 410 (also as an event of a
 * watch: list again), `invalid` another 4xx or a request that is refused before it is sent, `too-many-requests` 429,
 * `unavailable` 5xx, no connection or a broken one, `deadline-exceeded` no whole answer in time, `response-too-large`,
 * `response-malformed` an answer that is not what was asked for (a redirect among them), `config-invalid` a way to the cluster
 * that contradicts itself or that we refuse to take.
 * @example
 * ```ts
 * import { KubernetesError } from "@signet/kubernetes";
 * function isRace(error: unknown): boolean {
 *   return error instanceof KubernetesError && (error.code === "conflict" || error.code === "already-exists");
 * }
 * isRace(new KubernetesError("conflict", "the object has been modified", { status: 409 })); // true
 * ```
 */
export class KubernetesError extends Error {
  override readonly name = "KubernetesError";
  readonly code: KubernetesErrorCode;
  /** The HTTP status, where there was one. */
  readonly status?: number;
  /** How long the server asks us to wait, in milliseconds, from `Retry-After`; at most an hour. */
  readonly retryAfterMs?: number;

  constructor(
    code: KubernetesErrorCode,
    message: string,
    options: { readonly cause?: unknown; readonly status?: number; readonly retryAfterMs?: number } = {},
  ) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.code = code;
    if (options.status !== undefined) this.status = options.status;
    if (options.retryAfterMs !== undefined) this.retryAfterMs = options.retryAfterMs;
  }
}

const maxQuotedLength = 200;

/** Text from outside as it may stand in a message: in quotes, control characters escaped, cut at 200 characters. */
export function quote(text: string): string {
  return text.length > maxQuotedLength ? `${JSON.stringify(text.slice(0, maxQuotedLength))}...` : JSON.stringify(text);
}

/** What is wrong with a SPIFFE ID or a trust domain. */
export type SpiffeErrorCode =
  | "spiffe-id-malformed"
  | "spiffe-id-too-long"
  | "spiffe-id-without-path"
  | "trust-domain-malformed"
  | "trust-domain-too-long"
  | "kubernetes-name-malformed";

/**
 * The one error class of this package; `code` is closed, `message` is for people.
 * @example
 * ```ts
 * import { parseSpiffeId, SpiffeError } from "@signet/spiffe";
 * try {
 *   parseSpiffeId("spiffe://cluster.local");
 * } catch (error) {
 *   if (error instanceof SpiffeError) error.code; // "spiffe-id-without-path"
 * }
 * ```
 */
export class SpiffeError extends Error {
  override readonly name = "SpiffeError";
  readonly code: SpiffeErrorCode;

  constructor(code: SpiffeErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * What went wrong on the way to Vault, or what Vault answered.
 *
 * - `config-invalid`: a file of the settings cannot be read or used
 * - `unreachable`: no connection, or it ended before the answer was whole
 * - `tls-failed`: the server's certificate does not verify, or it refused ours
 * - `deadline-exceeded`: no answer in time
 * - `overloaded`: more calls wait here than may
 * - `circuit-open`: too many calls in a row have failed; no call was made
 * - `redirect-refused`: a redirect that leads somewhere a token must not go
 * - `response-too-large`, `response-malformed`: an answer that is not one of Vault's
 * - `sealed`, `standby`: Vault does not serve, or this node does not
 * - `rate-limited`: a quota of Vault is used up; `retryAfterMs` says for how long, when Vault did
 * - `unavailable`: any other answer that says "not now"
 * - `login-refused`: Vault does not accept our credentials
 * - `permission-denied`: the token is no longer valid, or its policies do not allow the call
 * - `role-missing`, `issuer-missing`: there is no such role or issuer
 * - `pinned-root-unusable`: the file of the pinned roots cannot be read or used
 * - `not-found`: there is no such path; the mount may be another
 * - `refused`: the request is not acceptable to Vault, for example by the rules of the role
 */
export type VaultErrorCode =
  | "config-invalid"
  | "unreachable"
  | "tls-failed"
  | "deadline-exceeded"
  | "overloaded"
  | "circuit-open"
  | "redirect-refused"
  | "response-too-large"
  | "response-malformed"
  | "sealed"
  | "standby"
  | "rate-limited"
  | "unavailable"
  | "login-refused"
  | "permission-denied"
  | "role-missing"
  | "issuer-missing"
  | "pinned-root-unusable"
  | "not-found"
  | "refused";

/**
 * The one error class of this package; `code` is closed, `message` is for people and never holds a token or a key.
 * @example
 * ```ts
 * import { VaultError } from "@signet/ca-vault";
 * const error = new VaultError("sealed", "Vault is sealed", { status: 503 });
 * error.code; // "sealed"
 * ```
 */
export class VaultError extends Error {
  override readonly name = "VaultError";
  readonly code: VaultErrorCode;
  /** HTTP status of the answer, when there was one. */
  readonly status: number | undefined;
  /** How long Vault asks us to stay away, in milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(
    code: VaultErrorCode,
    message: string,
    options: { readonly cause?: unknown; readonly status?: number; readonly retryAfterMs?: number } = {},
  ) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.code = code;
    this.status = options.status;
    this.retryAfterMs = options.retryAfterMs;
  }
}

const final: ReadonlySet<VaultErrorCode> = new Set([
  "config-invalid",
  "login-refused",
  "permission-denied",
  "role-missing",
  "issuer-missing",
  "pinned-root-unusable",
  "not-found",
  "refused",
]);

/** Whether the same call may well succeed a little later, without a hand. */
export function isTransient(error: VaultError): boolean {
  return !final.has(error.code);
}

/** Most of Vault's own words that a message of ours quotes, in characters. */
const maxQuoted = 200;

/** What must not be quoted: tokens of Vault and of OpenBao, old and new; JWTs; anything in PEM. */
const secrets =
  /\b(?:hv[sbr]|[sbr])\.[A-Za-z0-9_-]{8,}|\beyJ[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*|-----BEGIN .*/g;

/** Returns what Vault said on one line, without secrets, and cut. */
export function quoteVault(text: string): string {
  const line = text
    .slice(0, 4 * maxQuoted)
    // Whatever is no printable ASCII: Vault's lists of errors have line ends and tabs.
    .replaceAll(/[^\x20-\x7e]+/g, " ")
    .replaceAll(secrets, "[not shown]")
    .replaceAll(/ {2,}/g, " ")
    .trim();
  return line.length <= maxQuoted ? line : `${line.slice(0, maxQuoted)}...`;
}

import type { IncomingHttpHeaders } from "node:http";
import { quoteVault, VaultError, type VaultErrorCode } from "./errors.ts";

/** An answer of Vault, its body as JSON where it had one. */
export type AnsweredWith = { readonly status: number; readonly headers: IncomingHttpHeaders; readonly body: unknown };

/** Longest that we stay away because Vault asks for it; a quota that blocks for longer will say so again. */
const maxRetryAfterMs = 60_000;

/**
 * Returns the error that an answer other than 200 or 204 stands for.
 *
 * Status codes are those of Vault's API; what a sealed or standby node says is told from its words, since 500 and 503
 * stand for more than that.
 */
export function refusalOf({ status, headers, body }: AnsweredWith): VaultError {
  const words = firstError(body);
  const code = codeOf(status, words);
  const retryAfterMs = parseRetryAfter(headers["retry-after"]);
  return new VaultError(code, words === "" ? `Vault answered ${status}` : words, {
    status,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

function codeOf(status: number, words: string): VaultErrorCode {
  if (status === 403) return "permission-denied";
  if (status === 404) return "not-found";
  if (status === 429) return "rate-limited";
  if (status === 472 || status === 473) return "standby";
  // 412: the state that an earlier answer promised has not reached this node yet.
  if (status >= 400 && status < 500 && status !== 412 && status !== 408) return "refused";
  if (/\bsealed\b|not initialized/i.test(words)) return "sealed";
  if (/\bstandby\b|not active|no active vault|active cluster node/i.test(words)) return "standby";
  return "unavailable";
}

function firstError(body: unknown): string {
  if (typeof body !== "object" || body === null || !("errors" in body) || !Array.isArray(body.errors)) return "";
  const [first] = body.errors;
  return typeof first === "string" ? quoteVault(first) : "";
}

/** Seconds, as Vault writes it (RFC 9110 section 10.2.3); a date is not read. */
function parseRetryAfter(value: string | undefined): number | undefined {
  if (value === undefined || !/^\d{1,9}$/.test(value)) return undefined;
  return Math.min(Number(value) * 1000, maxRetryAfterMs);
}

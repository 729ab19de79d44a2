import { KubernetesError, type KubernetesErrorCode, quote } from "./errors.ts";
import { isRecord } from "./shape.ts";

/** What an answer that is no success says, of what it was asked. */
export type Refusal = {
  readonly status: number;
  /** Method and path, for the message. */
  readonly what: string;
  /** The JSON of the body, if it was JSON. */
  readonly body: unknown;
  /** The value of `Retry-After`. */
  readonly retryAfter?: string | undefined;
  /** Whether the request held a secret, which the server's own words might repeat. */
  readonly secret: boolean;
};

const longestRetryAfterMs = 3_600_000;

/** The error for an answer with a status above 299, or for an ERROR event of a watch. */
export function statusError(refusal: Refusal): KubernetesError {
  const { status } = refusal;
  const retryAfterMs = retryAfterMsOf(refusal);
  return new KubernetesError(codeOf(refusal), messageOf(refusal), {
    status,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

/** Whether a 404 says that this object does not exist, as opposed to the namespace's API or the whole path. */
export function isObjectMissing(status: number, body: unknown): boolean {
  if (status !== 404 || !isRecord(body) || body.kind !== "Status" || !isRecord(body.details)) return false;
  return typeof body.details.name === "string" && body.details.name !== "";
}

function codeOf({ status, body }: Refusal): KubernetesErrorCode {
  switch (status) {
    case 401:
      return "unauthorized";
    case 403:
      return "forbidden";
    case 404:
      return "not-found";
    case 409:
      return reasonOf(body) === "AlreadyExists" ? "already-exists" : "conflict";
    case 410:
      return "gone";
    case 429:
      return "too-many-requests";
  }
  if (status >= 500) return "unavailable";
  return status >= 400 ? "invalid" : "response-malformed";
}

function messageOf({ status, what, body, secret }: Refusal): string {
  const reason = reasonOf(body);
  const message = isRecord(body) && body.kind === "Status" && !secret ? body.message : undefined;
  return [
    `API server answered ${status}${reason === undefined ? "" : ` ${reason}`} to ${what}`,
    ...(typeof message === "string" && message !== "" ? [quote(message)] : []),
  ].join(": ");
}

function reasonOf(body: unknown): string | undefined {
  if (!isRecord(body) || body.kind !== "Status" || typeof body.reason !== "string") return undefined;
  return /^[A-Za-z]{1,64}$/.test(body.reason) ? body.reason : undefined;
}

function retryAfterMsOf({ body, retryAfter }: Refusal): number | undefined {
  const fromHeader = retryAfter !== undefined && /^\d{1,9}$/.test(retryAfter) ? Number(retryAfter) : undefined;
  const details = isRecord(body) && body.kind === "Status" && isRecord(body.details) ? body.details : {};
  const fromBody = details.retryAfterSeconds;
  const seconds = fromHeader ?? (typeof fromBody === "number" && fromBody > 0 ? fromBody : undefined);
  return seconds === undefined ? undefined : Math.min(seconds * 1000, longestRetryAfterMs);
}

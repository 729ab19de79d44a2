import { type MetadataInit, metadataFrom, type ReadonlyMetadata } from "./metadata.ts";

/** The status codes of gRPC, by their names on the wire. */
export const Status = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;

/** One of the seventeen status codes. */
export type Status = (typeof Status)[keyof typeof Status];

/** The name of a status code, such as `UNAVAILABLE`. */
export type StatusName = keyof typeof Status;

const namesByCode: ReadonlyMap<number, StatusName> = new Map(
  Object.entries(Status).map(([name, code]) => [code, name as StatusName]),
);

/**
 * The name of `code`, as metrics and logs show it.
 * @example
 * ```ts
 * import { Status, statusName } from "@signet/grpc";
 * statusName(Status.UNAVAILABLE); // "UNAVAILABLE"
 * ```
 */
export function statusName(code: Status): StatusName {
  return namesByCode.get(code) ?? "UNKNOWN";
}

/** `code` as a status; everything but 0 to 16 is UNKNOWN, as the gRPC specification asks of receivers. */
export function parseStatus(code: unknown): Status {
  const number = typeof code === "string" && /^\d+$/.test(code) ? Number(code) : code;
  return typeof number === "number" && namesByCode.has(number) ? (number as Status) : Status.UNKNOWN;
}

/** What may accompany a StatusError. */
export type StatusErrorOptions = {
  /** For whoever catches the error here; never sent, and not reported by `serve`. */
  readonly cause?: unknown;
  /** Trailing metadata; values of names ending in `-bin` are base64. */
  readonly metadata?: MetadataInit;
};

let initOf: (error: StatusError) => MetadataInit;

/**
 * An RPC's failure: thrown by a handler it is what the client sees, word for word; thrown by a Channel it is what
 * the server said.
 *
 * A handler that lets the StatusError of a call of its own escape does not pass it on: the client sees INTERNAL, because
 * the other server's sentence was not written for it.
 * @example
 * ```ts
 * import { Status, StatusError } from "@signet/grpc";
 * throw new StatusError(Status.NOT_FOUND, "no such secret");
 * ```
 */
export class StatusError extends Error {
  override readonly name = "StatusError";
  readonly code: Status;
  /** Trailing metadata. */
  readonly metadata: ReadonlyMetadata;
  readonly #init: MetadataInit;

  static {
    initOf = (error) => error.#init;
  }

  constructor(code: Status, message: string, options: StatusErrorOptions = {}) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.#init = options.metadata ?? {};
    this.metadata = metadataFrom(this.#init);
  }
}

/** The trailing metadata of `error` with all its names, which the readable form does not tell. */
export function metadataInitOf(error: StatusError): MetadataInit {
  return initOf(error);
}

/**
 * The StatusError of a call that we made. Whoever made the call sees an ordinary StatusError; the server's side uses the
 * difference to keep another server's sentence from its own clients.
 */
export class OutgoingCallError extends StatusError {}

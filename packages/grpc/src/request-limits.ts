import type { ServerHttp2Stream } from "node:http2";
import { createDueList, type DueList } from "./due-list.ts";
import { headerListBytes, type RawHeaders } from "./raw-headers.ts";
import { Status, StatusError } from "./status.ts";

/** A request that is watched: a call, from its start. */
export type WatchedRequest = {
  readonly stream: ServerHttp2Stream;
  readonly headers: RawHeaders;
  /** Whether it must be complete in the time there is, as the one request of a unary call must. */
  readonly timed: boolean;
  /** Called at most once, with the status to end the call with. */
  readonly refuse: (reason: StatusError) => void;
};

/** However full the server is, so much of a request is always taken: a CSR and more. */
const alwaysTakenBytes = 16_384;

/**
 * Limits for the requests of one listener: `timeoutMs` for a unary request to be complete, `headerBytes` for the headers of
 * each, `totalBytes` for all unfinished messages with their headers together.
 *
 * A request is held in memory before anyone has looked at its credentials, and HTTP/2 allows a client as many at a time as
 * there are streams. When the total is reached, requests that are larger than 16 KiB are refused with RESOURCE_EXHAUSTED;
 * small ones go on, so whoever fills the server with large ones keeps out large ones alone.
 */
export class RequestLimits {
  /** Largest header list of a request. */
  readonly headerBytes: number;
  readonly totalBytes: number;
  /** What all watched requests hold now. */
  heldBytes = 0;
  readonly late: DueList<RequestWatch>;

  constructor(limits: { readonly timeoutMs: number; readonly headerBytes: number; readonly totalBytes: number }) {
    this.headerBytes = limits.headerBytes;
    this.totalBytes = limits.totalBytes;
    this.late = createDueList(limits.timeoutMs, (watch) =>
      watch.end(Status.DEADLINE_EXCEEDED, "the request was not complete in time"),
    );
  }

  /** StatusError RESOURCE_EXHAUSTED for headers over the limit, which HTTP/2 lets through until the client knows of it. */
  checkHeaders(headers: RawHeaders): void {
    if (headerListBytes(headers) <= this.headerBytes) return;
    throw new StatusError(Status.RESOURCE_EXHAUSTED, `the headers exceed ${this.headerBytes} bytes`);
  }

  watch(request: WatchedRequest): RequestWatch {
    return new RequestWatch(request, this);
  }
}

/** The watch over one call. */
export class RequestWatch {
  readonly #request: WatchedRequest;
  readonly #limits: RequestLimits;
  #held = 0;

  constructor(request: WatchedRequest, limits: RequestLimits) {
    this.#request = request;
    this.#limits = limits;
    this.#hold(headerListBytes(request.headers));
    if (request.timed) limits.late.add(this);
  }

  /** So many bytes have come. */
  count(bytes: number): void {
    this.#hold(bytes);
    if (this.#limits.heldBytes > this.#limits.totalBytes && this.#held > alwaysTakenBytes) {
      this.end(Status.RESOURCE_EXHAUSTED, "the server holds too many unfinished requests");
    }
  }

  /** What has come so far is handed on and held here no longer. */
  taken(): void {
    this.#hold(-this.#held);
  }

  /** Ends the watch; nothing is held or timed any more. */
  close(): void {
    if (this.#request.timed) this.#limits.late.delete(this);
    this.taken();
  }

  /** Ends the watch and the call. */
  end(code: Status, message: string): void {
    this.close();
    // What the client still sends stays in its window instead of our memory.
    this.#request.stream.pause();
    this.#request.refuse(new StatusError(code, message));
  }

  #hold(bytes: number): void {
    this.#held += bytes;
    this.#limits.heldBytes += bytes;
  }
}

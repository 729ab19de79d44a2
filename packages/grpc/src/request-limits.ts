import type { ServerHttp2Stream } from "node:http2";
import { headerListBytes, type RawHeaders } from "./raw-headers.ts";
import { Status, StatusError } from "./status.ts";

/** Watches what unfinished requests hold, over all calls of one listener. */
export interface RequestLimits {
  /** Largest header list of a request. */
  readonly headerBytes: number;
  /** Watches one call from its start; `refuse` is called at most once, with the status to end it with. */
  watch(stream: ServerHttp2Stream, headers: RawHeaders, refuse: (reason: StatusError) => void): RequestWatch;
  /** StatusError RESOURCE_EXHAUSTED for headers over the limit, which HTTP/2 lets through until the client knows of it. */
  checkHeaders(headers: RawHeaders): void;
}

/** The watch over one call. */
export interface RequestWatch {
  /** What has come so far is handed on and held here no longer. */
  taken(): void;
  /** The request of a unary call must be complete from here in the time there is. */
  startTimer(): void;
  /** Ends the watch; nothing is held or timed any more. */
  close(): void;
}

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
export function createRequestLimits(limits: {
  readonly timeoutMs: number;
  readonly headerBytes: number;
  readonly totalBytes: number;
}): RequestLimits {
  let totalHeld = 0;

  function checkHeaders(headers: RawHeaders): void {
    if (headerListBytes(headers) <= limits.headerBytes) return;
    throw new StatusError(Status.RESOURCE_EXHAUSTED, `the headers exceed ${limits.headerBytes} bytes`);
  }

  function watch(stream: ServerHttp2Stream, headers: RawHeaders, refuse: (reason: StatusError) => void): RequestWatch {
    let held = headerListBytes(headers);
    totalHeld += held;
    let timer: NodeJS.Timeout | undefined;
    function taken(): void {
      totalHeld -= held;
      held = 0;
    }
    function close(): void {
      clearTimeout(timer);
      stream.removeListener("data", count);
      taken();
    }
    function end(code: Status, message: string): void {
      close();
      // What the client still sends stays in its window instead of our memory.
      stream.pause();
      refuse(new StatusError(code, message));
    }
    function count(chunk: Buffer): void {
      held += chunk.length;
      totalHeld += chunk.length;
      if (totalHeld > limits.totalBytes && held > alwaysTakenBytes) {
        end(Status.RESOURCE_EXHAUSTED, "the server holds too many unfinished requests");
      }
    }
    // grpc-js has paused the stream, so this listener does not set it going.
    stream.on("data", count);
    return {
      taken,
      startTimer() {
        const late = (): void => end(Status.DEADLINE_EXCEEDED, "the request was not complete in time");
        timer = setTimeout(late, limits.timeoutMs);
      },
      close,
    };
  }

  return { headerBytes: limits.headerBytes, watch, checkHeaders };
}

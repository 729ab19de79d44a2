import { constants, type ServerHttp2Stream } from "node:http2";

/** How long a client may keep its half of a stream open after it was told how the call ended. */
const halfOpenMs = 1_000;

/**
 * Closes `stream`, whose answer is complete, unless its client does so in a second: RFC 9113 section 8.1 lets a server ask for
 * that. Else a client could leave as many behind as it likes.
 */
export function closeHalfOpenSoon(stream: ServerHttp2Stream): void {
  if (!stream.closed && !stream.readableEnded) setTimeout(closeHalfOpen, halfOpenMs, stream).unref();
}

function closeHalfOpen(stream: ServerHttp2Stream): void {
  if (!stream.closed) stream.close(constants.NGHTTP2_NO_ERROR);
}

import type { Http2Server, Http2Stream } from "node:http2";

/** The headers of a request as they came: names and values in turn, in order of arrival, repeated ones repeated. */
export type RawHeaders = readonly string[];

/**
 * Keeps the headers of requests as they came. What Node makes of them besides drops all but the first of repeated
 * `authorization` headers and joins others, and one value with a comma is not two values.
 */
export interface RawHeadersByStream {
  /** Keeps those of every stream of `server`. */
  watch(server: Http2Server): void;
  of(stream: Http2Stream): RawHeaders;
}

/** Keeps nothing yet. */
export function createRawHeaders(): RawHeadersByStream {
  const known = new WeakMap<Http2Stream, RawHeaders>();
  return {
    watch(server) {
      // Before grpc-js, which starts the call in its own listener. Node gives the raw headers last and its types do not.
      server.prependListener("stream", (stream, _headers, _flags, ...rest: unknown[]) => {
        if (Array.isArray(rest[0])) known.set(stream, rest[0]);
      });
    },
    of: (stream) => known.get(stream) ?? [],
  };
}

/** The size of `headers` as RFC 9113 section 6.5.2 counts it for SETTINGS_MAX_HEADER_LIST_SIZE, in bytes. */
export function headerListBytes(headers: RawHeaders): number {
  let bytes = 0;
  for (const part of headers) bytes += part.length;
  return bytes + (headers.length / 2) * 32;
}

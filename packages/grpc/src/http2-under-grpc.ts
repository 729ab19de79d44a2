import type { Http2Server, IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import type { Server } from "@grpc/grpc-js";
import type { IncomingCall } from "./accept-call.ts";

/**
 * The HTTP/2 server under a server of grpc-js, which does not show it: headers as they came, pings, and calls without the
 * layers of grpc-js. It must have made its connection injector, and is looked at once, so that a version that hides this
 * fails at the start and not at a call.
 */
export function http2ServerUnder(server: Server): Http2Server {
  const { http2Servers } = server as unknown as { readonly http2Servers?: ReadonlyMap<Http2Server, unknown> };
  const [http2Server] = http2Servers?.keys() ?? [];
  if (http2Server?.listenerCount("stream") !== 1)
    throw new Error("this version of @grpc/grpc-js hides its HTTP/2 server");
  return http2Server;
}

/** Has `onCall` take the calls instead of grpc-js, which goes on to keep the connections: pings, GOAWAY, their age. */
export function takeCalls(http2Server: Http2Server, onCall: (call: IncomingCall) => void): void {
  http2Server.removeAllListeners("stream");
  // Node gives the raw headers last, and its types do not know.
  http2Server.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, _flags, ...rest: unknown[]) => {
    const [rawHeaders] = rest;
    if (!Array.isArray(rawHeaders)) throw new Error("this version of Node hides the raw headers of a request");
    onCall({ stream, headers, rawHeaders });
  });
}

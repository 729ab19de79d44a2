import type { Http2Server, ServerHttp2Stream } from "node:http2";
import type { Server, ServerInterceptingCallInterface } from "@grpc/grpc-js";

/**
 * What stands under one listener of grpc-js, which shows neither: headers as they came, and pings. It must have made its
 * connection injector, and is looked at once, so that a version that hides this fails at the start and not at a call.
 */
export function http2ServerUnder(server: Server): Http2Server {
  const { http2Servers } = server as unknown as { readonly http2Servers?: ReadonlyMap<Http2Server, unknown> };
  const [http2Server] = http2Servers?.keys() ?? [];
  if (http2Server === undefined) throw new Error("this version of @grpc/grpc-js hides its HTTP/2 server");
  return http2Server;
}

/** The stream under a call: the only place that tells how it really ended and which connection it came by. */
export function http2StreamUnder(wire: ServerInterceptingCallInterface): ServerHttp2Stream {
  const stream = (wire as unknown as { readonly stream?: ServerHttp2Stream }).stream;
  if (stream === undefined) throw new Error("this version of @grpc/grpc-js hides the HTTP/2 stream of a call");
  return stream;
}

import { createSecureServer, type SecureServerOptions, type ServerHttp2Stream } from "node:http2";

const headers = { ":status": 200, "content-type": "application/grpc" };

/**
 * What no server in Node can go below: `node:http2` with TLS, which takes a request and sends `answer` with gRPC's trailers, and
 * knows nothing of gRPC.
 */
export function bareHttp2Server(tls: Pick<SecureServerOptions, "cert" | "key">, answer: Buffer): Promise<number> {
  const framed = Buffer.alloc(5 + answer.length);
  framed.writeUInt32BE(answer.length, 1);
  framed.set(answer, 5);
  const server = createSecureServer({ ...tls, settings: { maxConcurrentStreams: 1_000 } });
  server.on("stream", (stream: ServerHttp2Stream) => {
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.on("data", () => {});
    stream.on("end", () => {
      stream.respond(headers, { waitForTrailers: true });
      stream.end(framed);
    });
  });
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : 0);
    });
  });
}

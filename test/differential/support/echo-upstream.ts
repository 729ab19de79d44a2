import { createServer, type Socket } from "node:net";
import { readBody, readHead } from "./http1.ts";

/** What an upstream saw of a request, as it was on the wire. */
export type SeenRequest = { readonly startLine: string; readonly headers: readonly (readonly [string, string])[] };

/** A server that answers every request with what it saw of it, as JSON. */
export type EchoUpstream = { close(): void };

/** Starts one on a Unix socket; whoever wants to is told of every request. */
export async function startEchoUpstream(
  path: string,
  onRequest: (request: SeenRequest) => void = () => undefined,
): Promise<EchoUpstream> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    serve(socket, onRequest);
    socket.once("close", () => sockets.delete(socket));
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject).listen(path, resolve);
  await promise;
  return {
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** Returns what an upstream saw, by the body of its answer; undefined when it is somebody else's. */
export function readEcho(body: string): SeenRequest | undefined {
  return body.startsWith('{"startLine":')
    ? (JSON.parse(Buffer.from(body, "latin1").toString("utf8")) as SeenRequest)
    : undefined;
}

function serve(socket: Socket, onRequest: (request: SeenRequest) => void): void {
  let received: Buffer = Buffer.alloc(0);
  socket.on("error", () => socket.destroy());
  socket.on("data", (octets: Buffer) => {
    received = received.length === 0 ? octets : Buffer.concat([received, octets]);
    for (;;) {
      const head = readHead(received);
      const whole = head && readBody(received, head);
      if (head === undefined || whole === undefined) return;
      received = received.subarray(whole.end);
      const seen: SeenRequest = { startLine: head.startLine, headers: head.headers };
      onRequest(seen);
      const body = Buffer.from(JSON.stringify(seen), "utf8");
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n`);
      if (!head.startLine.startsWith("HEAD ")) socket.write(body);
    }
  });
}

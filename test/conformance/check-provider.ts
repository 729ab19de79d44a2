import { createServer, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";

/** An ext_authz provider of gRPC on a Unix socket, which counts what it is asked. */
export type CheckProvider = { readonly name: string; asked(): number; close(): void };

/** CheckResponse with `status { code: 0 }`, and with code 7, PERMISSION_DENIED. */
const allowed = Buffer.from("0a00", "hex");
const denied = Buffer.from("0a020807", "hex");

/** Starts one that denies what has `deny-<its name>.` in it; `asked` notes its name. */
export async function startCheckProvider(name: string, path: string, asked: string[]): Promise<CheckProvider> {
  const sessions = new Set<ServerHttp2Session>();
  const server: Http2Server = createServer();
  let count = 0;
  server.on("session", (session) => {
    sessions.add(session);
    session.on("error", () => undefined);
  });
  server.on("stream", (stream: ServerHttp2Stream) => {
    const chunks: Buffer[] = [];
    stream.on("error", () => undefined);
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => {
      count += 1;
      asked.push(name);
      const message = Buffer.concat(chunks).toString("latin1").includes(`deny-${name}.`) ? denied : allowed;
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      const head = Buffer.alloc(5);
      head.writeUInt32BE(message.length, 1);
      stream.end(Buffer.concat([head, message]));
    });
  });
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(path, resolve));
  return {
    name,
    asked: () => count,
    close: () => {
      for (const session of sessions) session.destroy();
      server.close();
    },
  };
}

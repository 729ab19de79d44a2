import { once } from "node:events";
import { connect, type TLSSocket } from "node:tls";

/** The body of every answer that nothing refused. */
export const throughBody = "through";

/** One connection that is kept, with one request under way at a time. */
export type Http1Caller = {
  /** Resolves with the status; `body` is the whole of what is expected, which ends the answer. */
  ask(request: string, body: string): Promise<number>;
  close(): void;
};

/** Who calls, and whom it trusts. */
export type CallerTls = { readonly ca: string; readonly cert: string; readonly key: string };

/** Opens a connection to a port of this machine. */
export async function openHttp1Caller(port: number, tls: CallerTls): Promise<Http1Caller> {
  // Envoy's certificate has no name of a host.
  const options = {
    ...tls,
    host: "127.0.0.1",
    port,
    ALPNProtocols: ["http/1.1"],
    checkServerIdentity: () => undefined,
  };
  const socket: TLSSocket = connect(options);
  await once(socket, "secureConnect");
  socket.setNoDelay(true).setEncoding("latin1");
  let waiting: { readonly body: string; resolve(status: number): void; reject(error: Error): void } | undefined;
  let received = "";
  socket.on("data", (text: string) => {
    received += text;
    if (waiting === undefined || !received.endsWith(`\r\n\r\n${waiting.body}`)) return;
    const { resolve } = waiting;
    const status = Number(received.slice("HTTP/1.1 ".length, "HTTP/1.1 200".length));
    received = "";
    waiting = undefined;
    resolve(status);
  });
  const fail = (why: string): void => waiting?.reject(new Error(`${why}, after ${JSON.stringify(received)}`));
  socket.on("error", (error) => fail(error.message));
  socket.on("close", () => fail("Envoy closed a connection"));
  socket.setTimeout(10_000, () => fail("Envoy does not answer as expected"));
  return {
    ask: (request, body) => {
      if (socket.destroyed) return Promise.reject(new Error("Envoy has closed the connection"));
      const { promise, resolve, reject } = Promise.withResolvers<number>();
      waiting = { body, resolve, reject };
      socket.write(request);
      return promise;
    },
    close: () => socket.destroy(),
  };
}

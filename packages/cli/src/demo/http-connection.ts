import { Agent, type IncomingHttpHeaders, request } from "node:http";
import { connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import type { Address } from "./sidecar.ts";

/** What came back for one request. */
export type HttpAnswer = { readonly status: number; readonly headers: IncomingHttpHeaders; readonly body: string };

/** One TCP connection that carries one HTTP/1.1 request after the other, and is never opened again behind one's back. */
export interface HttpConnection {
  /** Rejects when the connection is gone, and after 5 seconds without an answer. */
  get(path: string): Promise<HttpAnswer>;
  /** True once the connection has ended without `close`. */
  lost(): boolean;
  close(): void;
}

const answerLimitMs = 5_000;

/** Returns a connection to `address`, which is opened by the first request. */
export function openHttpConnection(address: Address): HttpConnection {
  let socket: Socket | undefined;
  let closing = false;
  let lost = false;
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  agent.createConnection = () => {
    if (socket !== undefined) {
      throw new Error("the connection was ended by the other side");
    }
    socket = connect({ ...address, noDelay: true });
    socket.once("close", () => {
      lost = !closing;
    });
    return socket;
  };
  return {
    async get(path) {
      const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
      const signal = AbortSignal.timeout(answerLimitMs);
      request({ ...address, path, agent, signal }, (response) => {
        const { statusCode = 0, headers } = response;
        text(response).then((body) => resolve({ status: statusCode, headers, body }), reject);
      })
        .once("error", reject)
        .end();
      return await promise;
    },
    lost: () => lost,
    close() {
      closing = true;
      agent.destroy();
      socket?.destroy();
    },
  };
}

import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { RequestListener } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { createServer, type Server, type Socket } from "node:net";

/** A server on 127.0.0.1 for one test. */
export type MisbehavingServer = { readonly url: string; close(): void };

/** Starts a TCP server; what it does with a connection is the test's. */
export async function startListening(onConnection: (socket: Socket) => void): Promise<MisbehavingServer> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on("error", () => undefined));
    onConnection(socket);
  });
  return {
    url: await listen(server),
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** Starts an HTTPS server with the certificate of the fake API server that answers as the test says. */
export async function startAnswering(answer: RequestListener): Promise<MisbehavingServer> {
  const server = createHttpsServer({ cert: testdata("localhost.pem"), key: testdata("localhost.key") }, answer);
  return {
    url: await listen(server),
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function listen(server: Server): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return `https://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`;
}

function testdata(name: string): Buffer {
  return readFileSync(new URL(`./testdata/${name}`, import.meta.url));
}

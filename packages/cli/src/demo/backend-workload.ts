import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Address } from "./sidecar.ts";

/** What the backend's sidecar told the workload about the client of one request. */
export type ClientAsSeen = {
  readonly spiffeId: string;
  readonly serial: string;
  readonly issuer: string;
  readonly connectionId: string;
};

/**
 * Serves the plain HTTP workload behind the backend's sidecar: it answers with what its sidecar says of the client.
 *
 * It never closes an idle connection, for that would look like a fault of the mesh.
 */
export async function serveBackendWorkload(): Promise<{ readonly address: Address; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    const header = (name: string): string => String(request.headers[name] ?? "");
    const client: ClientAsSeen = {
      spiffeId: header("x-peer-spiffe-id"),
      serial: header("x-peer-serial"),
      issuer: header("x-peer-issuer"),
      connectionId: header("x-connection-id"),
    };
    response.setHeader("content-type", "application/json").end(`${JSON.stringify(client)}\n`);
  });
  server.keepAliveTimeout = 0;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject).listen(0, "127.0.0.1", resolve);
  await promise;
  const { port } = server.address() as AddressInfo;
  return {
    address: { host: "127.0.0.1", port },
    async close() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

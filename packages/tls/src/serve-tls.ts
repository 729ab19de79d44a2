import type { Server, TLSSocket, TlsOptions } from "node:tls";
import type { Source } from "@signet/runtime";
import type { SpiffeId } from "@signet/spiffe";
import { authorizePeer, type PeerAuthorizer } from "./authorize-peer.ts";
import { currentIdentity, minVersion, tlsMaterialOf } from "./secure-context.ts";
import type { WorkloadSvid } from "./workload-svid.ts";

/** Who may connect, and who is told of those who may not. */
export type GuardOptions = {
  readonly authorize: PeerAuthorizer;
  readonly onRefused?: (error: unknown, socket: TLSSocket) => void;
};

/**
 * Returns the options of a server of `node:tls`, `node:https` or `node:http2` that shows the identity of now and wants a
 * certificate of every client. They are half of it: hand the server to `guardServer`, which follows rotation and lets in those
 * who may.
 * @throws TlsError `no-identity`
 * @example
 * ```ts
 * import { createServer } from "node:https";
 * import { parseTrustDomain } from "@signet/spiffe";
 * import { allowTrustDomains, guardServer, type SvidSource, serverOptions } from "@signet/tls";
 * export function serve({ identity }: SvidSource, signal: AbortSignal): void {
 *   const server = createServer(serverOptions(identity), (_request, response) => response.end("hello"));
 *   guardServer(server, identity, { authorize: allowTrustDomains(parseTrustDomain("cluster.local")) }, signal);
 *   server.listen(8443);
 * }
 * ```
 */
export function serverOptions(identity: Source<WorkloadSvid>): TlsOptions {
  return { ...tlsMaterialOf(currentIdentity(identity)), minVersion, requestCert: true, rejectUnauthorized: true };
}

const peers = new WeakMap<TLSSocket, SpiffeId>();

/**
 * Has a server show each new identity from then on, to new connections; those that stand live on. A client is let in when the
 * bundle of its own trust domain vouches for it and `authorize` says so, and is cut off before any of its data is read when not.
 * Ends with `signal`, after which the server stays with what it has and lets in the same peers.
 * @example
 * ```ts
 * import { createServer } from "node:tls";
 * import { parseSpiffeId } from "@signet/spiffe";
 * import { allowSpiffeIds, guardServer, type SvidSource, serverOptions } from "@signet/tls";
 * export function serve({ identity }: SvidSource, signal: AbortSignal): void {
 *   const server = createServer(serverOptions(identity), (socket) => socket.end("hello"));
 *   const authorize = allowSpiffeIds(parseSpiffeId("spiffe://cluster.local/ns/demo/sa/frontend"));
 *   guardServer(server, identity, { authorize, onRefused: (error) => console.error(error) }, signal);
 * }
 * ```
 */
export function guardServer(
  server: Server,
  identity: Source<WorkloadSvid>,
  { authorize, onRefused }: GuardOptions,
  signal: AbortSignal,
): void {
  // First of all listeners: what reads the connection, such as an HTTP parser, is one as well.
  server.prependListener("secureConnection", (socket: TLSSocket) => {
    try {
      const certificate = socket.getPeerCertificate(true);
      peers.set(socket, authorizePeer(currentIdentity(identity), { certificate, role: "client" }, authorize));
    } catch (error) {
      socket.destroy();
      onRefused?.(error, socket);
    }
  });
  const follow = async (): Promise<void> => {
    for await (const next of identity.changes(signal)) {
      server.setSecureContext({ ...tlsMaterialOf(next), minVersion });
    }
  };
  follow().catch((error: unknown) => server.emit("tlsClientError", error));
}

/**
 * Returns the SPIFFE ID of the client at the other end of a connection that `guardServer` has let in, else undefined.
 * @example
 * ```ts
 * import type { IncomingMessage } from "node:http";
 * import { TLSSocket } from "node:tls";
 * import { peerOf } from "@signet/tls";
 * export function callerOf({ socket }: IncomingMessage): string | undefined {
 *   return socket instanceof TLSSocket ? peerOf(socket) : undefined;
 * }
 * ```
 */
export function peerOf(socket: TLSSocket): SpiffeId | undefined {
  return peers.get(socket);
}

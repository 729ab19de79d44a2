import { constants } from "node:crypto";
import type { Socket } from "node:net";
import { createSecureContext, createServer, type TLSSocket, type Server as TlsServer } from "node:tls";
import type { Source } from "@signet/runtime";
import { GrpcError } from "./errors.ts";

/** What a server shows when a connection is made. */
export type ServingCertificate = { readonly certificateChainPem: string; readonly privateKeyPem: string };

/** How a listener secures its connections; made by `plaintextCredentials` or `tlsServerCredentials`. */
export type ServerCredentials =
  | { readonly kind: "plaintext" }
  | { readonly kind: "tls"; readonly serving: Source<ServingCertificate>; readonly clientCa: Source<string> };

/**
 * Credentials without TLS, for Unix sockets.
 * @example
 * ```ts
 * import { plaintextCredentials, serve } from "@signet/grpc";
 * const listener = await serve({
 *   listen: { socketPath: "/tmp/signet-example.sock", mode: 0o600 },
 *   credentials: plaintextCredentials(),
 *   services: [],
 * });
 * await listener.drain(0);
 * ```
 */
export function plaintextCredentials(): ServerCredentials {
  return { kind: "plaintext" };
}

/**
 * TLS 1.2 or later with HTTP/2 by ALPN. A client certificate is requested and never required; one that is expired,
 * untrusted or otherwise not verifiable against `clientCa` counts as none, so that such a client can still present a token.
 *
 * Both sources are read for every new connection, so a change needs no restart and leaves open connections alone. While
 * `serving` has no value, connections are closed at once; a value that is no usable certificate and key leaves the last good
 * one in use. Without a client CA no client certificate is accepted. Sessions are never resumed, since a resumed one carries
 * the verdict of an older client CA bundle.
 * @example
 * ```ts
 * import { tlsServerCredentials } from "@signet/grpc";
 * import { createSource } from "@signet/runtime";
 * const serving = createSource<{ certificateChainPem: string; privateKeyPem: string }>();
 * const clientCa = createSource<string>();
 * tlsServerCredentials({ serving, clientCa });
 * ```
 */
export function tlsServerCredentials(options: {
  readonly serving: Source<ServingCertificate>;
  /** PEM of every authority that may have signed a client certificate. */
  readonly clientCa: Source<string>;
}): ServerCredentials {
  return { kind: "tls", serving: options.serving, clientCa: options.clientCa };
}

/** RFC 9113 section 9.2.2 and appendix A forbid every other TLS 1.2 suite under HTTP/2. */
const cipherSuites = [
  "TLS_AES_128_GCM_SHA256",
  "TLS_AES_256_GCM_SHA384",
  "TLS_CHACHA20_POLY1305_SHA256",
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-RSA-CHACHA20-POLY1305",
].join(":");

/** Takes accepted connections through TLS, or straight on. */
export interface Acceptor {
  accept(socket: Socket): void;
}

/** What an Acceptor reports. */
export type AcceptorEvents = {
  /** The connection speaks HTTP/2 from here on. */
  readonly onReady: (socket: Socket | TLSSocket) => void;
  /** A handshake failed, or new TLS material was refused; the listener goes on. */
  readonly onError: (error: unknown) => void;
};

/**
 * The Acceptor of `credentials`. Throws GrpcError `tls-material-invalid` if there is a serving certificate already and it
 * cannot be used: a process that cannot set up TLS must not start.
 */
export function createAcceptor(
  credentials: ServerCredentials,
  events: AcceptorEvents,
  handshakeTimeoutMs: number,
): Acceptor {
  if (credentials.kind === "plaintext") return { accept: events.onReady };
  const tls = createTlsGenerations(credentials, events, handshakeTimeoutMs);
  tls.current();
  return {
    accept(socket) {
      const server = latestGood(tls, events.onError);
      if (server === undefined) socket.destroy();
      else server.emit("connection", socket);
    },
  };
}

type TlsMaterial = { readonly serving: ServingCertificate; readonly clientCa: string | undefined };

interface TlsGenerations {
  /** The server for the material of now, or undefined while there is none; throws when it cannot be used. */
  current(): TlsServer | undefined;
  /** The server of the last material that could be used. */
  lastGood(): TlsServer | undefined;
}

/**
 * One TLS server object per generation of material: contexts are never changed in place, so no connection can see half a
 * change, and the old generation goes away with its last connection.
 */
function createTlsGenerations(
  credentials: Extract<ServerCredentials, { kind: "tls" }>,
  events: AcceptorEvents,
  handshakeTimeoutMs: number,
): TlsGenerations {
  let seen: TlsMaterial | undefined;
  let server: TlsServer | undefined;
  return {
    lastGood: () => server,
    current() {
      const serving = credentials.serving.current();
      if (serving === undefined) return server;
      const material = { serving, clientCa: credentials.clientCa.current() };
      if (seen !== undefined && sameMaterial(seen, material)) return server;
      seen = material;
      server = createTlsServer(material, events, handshakeTimeoutMs);
      return server;
    },
  };
}

function latestGood(generations: TlsGenerations, onError: (error: unknown) => void): TlsServer | undefined {
  try {
    return generations.current();
  } catch (error) {
    onError(error);
    return generations.lastGood();
  }
}

function sameMaterial(a: TlsMaterial, b: TlsMaterial): boolean {
  return (
    a.serving.certificateChainPem === b.serving.certificateChainPem &&
    a.serving.privateKeyPem === b.serving.privateKeyPem &&
    a.clientCa === b.clientCa
  );
}

function createTlsServer(material: TlsMaterial, events: AcceptorEvents, handshakeTimeoutMs: number): TlsServer {
  const server = createServer({
    ...contextOptions(material),
    requestCert: true,
    rejectUnauthorized: false,
    ALPNProtocols: ["h2"],
    handshakeTimeout: handshakeTimeoutMs,
  });
  server.on("secureConnection", (socket) => {
    socket.on("error", () => socket.destroy());
    // RFC 9113 section 3.2: over TLS only a client that agreed to "h2" speaks HTTP/2.
    if (socket.alpnProtocol === "h2") events.onReady(socket);
    else socket.destroy();
  });
  server.on("tlsClientError", (error, socket) => {
    socket.destroy();
    // Load balancers probe by connecting and leaving again, which is no failure; whoever mistrusts us says so by an alert.
    if (!("code" in error && error.code === "ECONNRESET")) events.onError(error);
  });
  return server;
}

function contextOptions(material: TlsMaterial): Parameters<typeof createSecureContext>[0] {
  const options = {
    cert: material.serving.certificateChainPem,
    key: material.serving.privateKeyPem,
    // An empty list trusts nobody; without `ca` Node would trust every public authority.
    ca: material.clientCa === undefined ? [] : [material.clientCa],
    ciphers: cipherSuites,
    minVersion: "TLSv1.2" as const,
    secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
  };
  try {
    createSecureContext(options);
  } catch (cause) {
    throw new GrpcError("tls-material-invalid", "the serving certificate and its key cannot be used", { cause });
  }
  return options;
}

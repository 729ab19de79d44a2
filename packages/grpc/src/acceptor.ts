import { constants, X509Certificate } from "node:crypto";
import type { Socket } from "node:net";
import { createSecureContext, createServer, type TLSSocket, type Server as TlsServer } from "node:tls";
import type { Source } from "@signet/runtime";
import { GrpcError } from "./errors.ts";
import { certificateBlocks } from "./pem-blocks.ts";
import type { ServerCredentials, ServingCertificate } from "./server-credentials.ts";

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
 * The Acceptor of `credentials`. Throws GrpcError `tls-material-invalid` if there is TLS material already and it cannot be
 * used: a process that cannot set up TLS must not start.
 */
export function createAcceptor(
  credentials: ServerCredentials,
  events: AcceptorEvents,
  handshakeTimeoutMs: number,
): Acceptor {
  if (credentials.kind === "plaintext") return { accept: events.onReady };
  const serving = lastGood(credentials.serving, sameServing, checkServing);
  const clientCa = lastGood(credentials.clientCa, Object.is, checkClientCa);
  let material: TlsMaterial | undefined;
  let server: TlsServer | undefined;

  function refresh(onError: (error: unknown) => void): void {
    const next = { serving: serving.read(onError), clientCa: clientCa.read(onError) };
    if (next.serving === material?.serving && next.clientCa === material?.clientCa) return;
    material = next;
    server = next.serving && createTlsServer({ ...next, serving: next.serving }, events, handshakeTimeoutMs);
  }

  refresh((error) => {
    throw error;
  });
  return {
    accept(socket) {
      refresh(events.onError);
      if (server === undefined) socket.destroy();
      else server.emit("connection", socket);
    },
  };
}

/** A source as the last of its values that could be used. */
interface LastGood<T> {
  /** That value; one that cannot be used is reported the first time it is seen. */
  read(onError: (error: unknown) => void): T | undefined;
}

function lastGood<T>(source: Source<T>, same: (a: T, b: T) => boolean, check: (value: T) => void): LastGood<T> {
  let seen: T | undefined;
  let good: T | undefined;
  return {
    read(onError) {
      const value = source.current();
      if (value === undefined || (seen !== undefined && same(seen, value))) return good;
      seen = value;
      try {
        check(value);
        good = value;
      } catch (error) {
        onError(error);
      }
      return good;
    },
  };
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

type TlsMaterial = { readonly serving: ServingCertificate | undefined; readonly clientCa: string | undefined };

/**
 * One TLS server object per generation of material: contexts are never changed in place, so no connection can see half a
 * change, and the old generation goes away with its last connection.
 */
function createTlsServer(
  { serving, clientCa }: TlsMaterial & { readonly serving: ServingCertificate },
  events: AcceptorEvents,
  handshakeTimeoutMs: number,
): TlsServer {
  const server = createServer({
    cert: serving.certificateChainPem,
    key: serving.privateKeyPem,
    // An empty list trusts nobody; without one Node would trust every public authority.
    ca: certificateBlocks(clientCa ?? ""),
    ciphers: cipherSuites,
    minVersion: "TLSv1.2",
    secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
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

function sameServing(a: ServingCertificate, b: ServingCertificate): boolean {
  return a.certificateChainPem === b.certificateChainPem && a.privateKeyPem === b.privateKeyPem;
}

function checkServing(serving: ServingCertificate): void {
  try {
    createSecureContext({ cert: serving.certificateChainPem, key: serving.privateKeyPem });
  } catch (cause) {
    throw new GrpcError("tls-material-invalid", "the serving certificate and its key cannot be used", { cause });
  }
}

function checkClientCa(pem: string): void {
  if (certificateBlocks(pem).some(isCertificate)) return;
  throw new GrpcError("tls-material-invalid", "the client CA bundle holds no certificate");
}

function isCertificate(pem: string): boolean {
  try {
    new X509Certificate(pem);
    return true;
  } catch {
    return false;
  }
}

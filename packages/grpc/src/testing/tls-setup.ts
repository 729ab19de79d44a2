import { type ConnectionOptions, type TLSSocket, connect as tlsConnect } from "node:tls";
import { IstioCertificateService } from "@signet/protos/istio/security/v1alpha1/ca";
import { createSource, type Publisher } from "@signet/runtime";
import {
  bindService,
  type Channel,
  type ClientTls,
  connect,
  type GrpcListener,
  type Peer,
  type ServingCertificate,
  serve,
  tlsServerCredentials,
} from "../index.ts";
import type { Closers } from "./closers.ts";
import type { Issued } from "./openssl-authority.ts";
import { unhurried } from "./streams.ts";

/** A TLS server of one unary method, and what it saw. */
export interface TlsSetup {
  readonly serving: Publisher<ServingCertificate>;
  readonly clientCa: Publisher<string>;
  readonly errors: readonly unknown[];
  readonly port: number;
  readonly listener: GrpcListener;
  /** Peers of the calls so far. */
  readonly peers: readonly Peer[];
  /** Calls the method over a new connection, or over `channel`. */
  call(tls?: Partial<ClientTls>): Promise<unknown>;
  /** A channel of its own to the server. */
  channel(tls?: Partial<ClientTls>): Channel;
  /** A TLS handshake and nothing more. */
  handshake(options?: ConnectionOptions): Promise<TLSSocket>;
}

/** What a TlsSetup starts with. */
export type TlsStart = {
  /** PEM of the authority that its clients trust. */
  readonly root: string;
  readonly serving?: Issued;
  readonly clientCa?: string;
  readonly handshakeTimeoutMs?: number;
};

/** Starts a TLS server on loopback. */
export async function startTls(start: TlsStart, closers: Closers): Promise<TlsSetup> {
  const serving = createSource<ServingCertificate>(start.serving && servingCertificate(start.serving));
  const clientCa = createSource<string>(start.clientCa);
  const errors: unknown[] = [];
  const peers: Peer[] = [];
  const listener = await serve({
    listen: { host: "127.0.0.1", port: 0 },
    credentials: tlsServerCredentials({ serving, clientCa }),
    services: [
      bindService(IstioCertificateService, {
        async createCertificate(_request, { peer }) {
          peers.push(peer);
          return {};
        },
      }),
    ],
    onConnectionError: (error) => errors.push(error),
    ...(start.handshakeTimeoutMs === undefined ? {} : { handshakeTimeoutMs: start.handshakeTimeoutMs }),
  });
  closers.add(() => listener.drain(0));
  const port = "port" in listener.address ? listener.address.port : 0;
  const channel = (tls: Partial<ClientTls> = {}): Channel => {
    const made = connect({ address: `127.0.0.1:${port}`, tls: { rootCertificatesPem: start.root, ...tls } });
    closers.add(() => made.close());
    return made;
  };
  const handshake = (options: ConnectionOptions = {}): Promise<TLSSocket> =>
    handshakeWith({ ca: start.root, ALPNProtocols: ["h2"], ...options, host: "127.0.0.1", port }, closers);
  return { serving, clientCa, errors, port, listener, peers, channel, handshake, call: (tls) => callOn(channel(tls)) };
}

/** Calls the method of a TlsSetup. */
export function callOn(channel: Channel): Promise<unknown> {
  return channel.unary(IstioCertificateService.method.createCertificate, {}, unhurried);
}

/** `issued` as a server shows it. */
export function servingCertificate({ chainPem, privateKeyPem }: Issued): ServingCertificate {
  return { certificateChainPem: chainPem, privateKeyPem };
}

function handshakeWith(options: ConnectionOptions, closers: Closers): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = tlsConnect(options);
    closers.add(() => socket.destroy());
    socket.once("secureConnect", () => resolve(socket));
    socket.once("error", reject);
  });
}

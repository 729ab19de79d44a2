import type { Http2Session, ServerHttp2Stream } from "node:http2";
import { TLSSocket } from "node:tls";
import type { Peer } from "./call-context.ts";

/** Remembers the Peer of every connection: reading a certificate chain costs more than a small call. */
export interface Peers {
  of(stream: ServerHttp2Stream): Peer;
}

/** Peers of a listener on a Unix socket or on TCP. */
export function createPeers(listens: "unix" | "tcp"): Peers {
  const known = new WeakMap<Http2Session, Peer>();
  return {
    of({ session }) {
      if (session === undefined) return { address: "unknown", transport: "plaintext" };
      const before = known.get(session);
      if (before !== undefined) return before;
      const peer = describePeer(session, listens);
      known.set(session, peer);
      return peer;
    },
  };
}

function describePeer(session: Http2Session, listens: "unix" | "tcp"): Peer {
  const socket = session.socket;
  const address = listens === "unix" ? "unix" : hostPort(socket.remoteAddress, socket.remotePort);
  if (!(socket instanceof TLSSocket)) return { address, transport: listens === "unix" ? "unix" : "plaintext" };
  const peer = { address, transport: "tls" } as const;
  if (!socket.authorized) return { ...peer, ...certificateProblem(socket) };
  const certificateChain = presentedChain(socket);
  return certificateChain.length === 0 ? peer : { ...peer, certificateChain };
}

/** Why a certificate was not accepted. Node reports a problem also where no certificate was presented at all. */
function certificateProblem(socket: TLSSocket): Pick<Peer, "certificateProblem"> {
  if (socket.getPeerX509Certificate() === undefined) return {};
  const { authorizationError } = socket as { readonly authorizationError: unknown };
  return { certificateProblem: typeof authorizationError === "string" ? authorizationError : "UNSPECIFIED" };
}

/** The chain as the client sent it, which TLS verified as far as it needed to; the rest may be anything. */
function presentedChain(socket: TLSSocket): readonly Uint8Array[] {
  const chain: Uint8Array[] = [];
  let certificate = socket.getPeerX509Certificate();
  while (certificate !== undefined) {
    chain.push(new Uint8Array(certificate.raw));
    certificate = certificate.issuerCertificate;
  }
  return chain;
}

function hostPort(host: string | undefined, port: number | undefined): string {
  if (host === undefined) return "unknown";
  const plain = host.startsWith("::ffff:") && host.includes(".") ? host.slice("::ffff:".length) : host;
  return plain.includes(":") ? `[${plain}]:${port}` : `${plain}:${port}`;
}

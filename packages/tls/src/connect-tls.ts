import { Agent, type AgentOptions } from "node:https";
import {
  type ConnectionOptions,
  connect,
  type DetailedPeerCertificate,
  type PeerCertificate,
  type TLSSocket,
} from "node:tls";
import type { Source } from "@signet/runtime";
import { authorizePeer, type PeerAuthorizer } from "./authorize-peer.ts";
import { currentIdentity, minVersion, secureContexts } from "./secure-context.ts";
import type { WorkloadSvid } from "./workload-svid.ts";

/** What a client adds to the options of a connection. */
export type ClientOptions = Pick<
  ConnectionOptions,
  "secureContext" | "rejectUnauthorized" | "checkServerIdentity" | "minVersion"
>;

/** Returns the options for one connection that is made now; ask anew for each. */
export type ClientOptionsOf = () => ClientOptions;

/**
 * Returns how to get the options of one connection of `tls.connect` or anything built on it, such as `https.request` without an
 * agent that keeps connections: the identity of now, and the server's SPIFFE ID in the place of its host name.
 *
 * A server is accepted when the bundle of its own trust domain vouches for it and `authorize` says so; what it is called in DNS
 * says nothing about who it is.
 * @example
 * ```ts
 * import { connect } from "node:tls";
 * import { parseSpiffeId } from "@signet/spiffe";
 * import { allowSpiffeIds, clientOptions, type SvidSource } from "@signet/tls";
 * export function dial({ identity }: SvidSource) {
 *   const backend = allowSpiffeIds(parseSpiffeId("spiffe://cluster.local/ns/demo/sa/backend"));
 *   const options = clientOptions(identity, backend);
 *   return connect({ host: "backend", port: 8443, ...options() });
 * }
 * ```
 */
export function clientOptions(identity: Source<WorkloadSvid>, authorize: PeerAuthorizer): ClientOptionsOf {
  const contextOfNow = secureContexts(identity);
  const checkServerIdentity = serverCheck(identity, authorize);
  return () => ({ secureContext: contextOfNow(), rejectUnauthorized: true, checkServerIdentity, minVersion });
}

/** What Node asks about a server whose certificate some root vouches for; an Error refuses it. */
export type ServerCheck = (host: string, certificate: PeerCertificate) => Error | undefined;

/** Returns the check that a server is who `authorize` lets in, whatever its host is called. */
export function serverCheck(identity: Source<WorkloadSvid>, authorize: PeerAuthorizer): ServerCheck {
  return (_host, certificate) => {
    try {
      if (!isDetailed(certificate)) throw new TypeError("Node gives a certificate without its issuers");
      authorizePeer(currentIdentity(identity), { certificate, role: "server" }, authorize);
      return undefined;
    } catch (error) {
      return error instanceof Error ? error : new Error("the server cannot be verified");
    }
  };
}

function isDetailed(certificate: PeerCertificate): certificate is DetailedPeerCertificate {
  return "issuerCertificate" in certificate;
}

/**
 * Returns an agent for `https.request` whose connections each begin with the identity of then; those that it keeps live on.
 *
 * No TLS session is resumed: one of an earlier identity would carry it on, and its server would not be looked at again.
 * @example
 * ```ts
 * import { get } from "node:https";
 * import { parseTrustDomain } from "@signet/spiffe";
 * import { allowTrustDomains, httpsAgent, type SvidSource } from "@signet/tls";
 * export function ask({ identity }: SvidSource) {
 *   const agent = httpsAgent(identity, allowTrustDomains(parseTrustDomain("cluster.local")), { keepAlive: true });
 *   return get("https://backend:8443/", { agent });
 * }
 * ```
 */
export function httpsAgent(
  identity: Source<WorkloadSvid>,
  authorize: PeerAuthorizer,
  options: AgentOptions = {},
): Agent {
  return new FollowingAgent(clientOptions(identity, authorize), options);
}

class FollowingAgent extends Agent {
  readonly #optionsOf: ClientOptionsOf;

  constructor(optionsOf: ClientOptionsOf, options: AgentOptions) {
    super({ ...options, maxCachedSessions: 0 });
    this.#optionsOf = optionsOf;
  }

  override createConnection(
    ...parameters: Parameters<Agent["createConnection"]>
  ): ReturnType<Agent["createConnection"]> {
    const [options, callback] = parameters;
    return super.createConnection({ ...options, ...this.#optionsOf() }, callback);
  }
}

/** What undici calls to make a connection; see its `Connector`. */
export type UndiciConnector = (
  options: { readonly hostname: string; readonly port: string; readonly protocol: string },
  callback: (...outcome: [error: Error, socket: null] | [error: null, socket: TLSSocket]) => void,
) => void;

const connectDeadlineMs = 10_000;

/**
 * Returns the `connect` of an undici `Agent`, `Pool` or `Client`, and so of `fetch` with that as its dispatcher. Plain http is
 * refused: whoever asks for a connection of this identity means TLS.
 * @example
 * ```ts
 * import { parseTrustDomain } from "@signet/spiffe";
 * import { allowTrustDomains, type SvidSource, undiciConnector } from "@signet/tls";
 * export function connectorOf({ identity }: SvidSource) {
 *   return undiciConnector(identity, allowTrustDomains(parseTrustDomain("cluster.local")));
 *   // new Agent({ connect: connectorOf(source) })
 * }
 * ```
 */
export function undiciConnector(identity: Source<WorkloadSvid>, authorize: PeerAuthorizer): UndiciConnector {
  const optionsOf = clientOptions(identity, authorize);
  return ({ hostname, port, protocol }, callback) => {
    if (protocol !== "https:") return callback(new TypeError(`${protocol} is not https:`), null);
    connectTo({ host: hostname, port: port === "" ? 443 : Number(port), optionsOf, alpn: ["http/1.1"] }, callback);
  };
}

/**
 * Returns the `createConnection` of `http2.connect`: a session is one connection, and a new session begins with the identity of
 * then.
 * @example
 * ```ts
 * import { connect } from "node:http2";
 * import { parseTrustDomain } from "@signet/spiffe";
 * import { allowTrustDomains, http2Connection, type SvidSource } from "@signet/tls";
 * export function session({ identity }: SvidSource) {
 *   const createConnection = http2Connection(identity, allowTrustDomains(parseTrustDomain("cluster.local")));
 *   return connect("https://backend:8443", { createConnection });
 * }
 * ```
 */
export function http2Connection(
  identity: Source<WorkloadSvid>,
  authorize: PeerAuthorizer,
): (authority: URL) => TLSSocket {
  const optionsOf = clientOptions(identity, authorize);
  return ({ hostname, port }) =>
    connect({ host: hostOf(hostname), port: port === "" ? 443 : Number(port), ALPNProtocols: ["h2"], ...optionsOf() });
}

type Target = {
  readonly host: string;
  readonly port: number;
  readonly optionsOf: ClientOptionsOf;
  readonly alpn: string[];
};

function connectTo({ host, port, optionsOf, alpn }: Target, callback: Parameters<UndiciConnector>[1]): void {
  let socket: TLSSocket;
  try {
    socket = connect({ host: hostOf(host), port, ALPNProtocols: alpn, ...optionsOf() });
  } catch (error) {
    callback(error instanceof Error ? error : new Error("the connection cannot be made"), null);
    return;
  }
  const timer = setTimeout(() => socket.destroy(new Error("the connection took too long")), connectDeadlineMs);
  const fail = (error: Error): void => {
    clearTimeout(timer);
    callback(error, null);
  };
  socket.once("error", fail);
  socket.once("secureConnect", () => {
    clearTimeout(timer);
    socket.removeListener("error", fail);
    callback(null, socket);
  });
}

/** A URL has an IPv6 address in brackets, and a connection is made to one without. */
function hostOf(hostname: string): string {
  return hostname.replace(/^\[(.*)\]$/, "$1");
}

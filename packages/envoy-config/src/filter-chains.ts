import type { MinTlsVersion, PeerMtls, PeerMtlsMode } from "@signet/documents";
import { type JsonMap, withoutDefaults } from "./envoy-filter.ts";
import { mutualTlsSocket } from "./mutual-tls-socket.ts";

/** A filter chain of an inbound listener, without its filters. */
export type FilterChain = {
  /** As istiod has it; chains of one port share it. */
  readonly name: string;
  readonly filterChainMatch: JsonMap;
  /** Absent where TLS, if there is any, is not ended here. */
  readonly transportSocket?: { readonly name: string; readonly typedConfig: JsonMap & { readonly "@type": string } };
};

/** Which filters go into a chain: `http` for those of HTTP in a connection manager, `tcp` for network filters. */
export type ChainProtocol = "http" | "tcp";

/** What the chains of a workload depend on besides its modes. */
export type FilterChainOptions = {
  /** The mesh's own trust domain and all others whose peers are let in; none lets in every peer of the trust bundle. */
  readonly trustDomains: readonly string[];
  /** `meshMTLS.minProtocolVersion` of the mesh config. Default TLS 1.2. */
  readonly minTlsVersion?: MinTlsVersion;
  /** What is known to be spoken on ports of the workload; of every other port it is found out by each connection. */
  readonly ports?: ReadonlyMap<number, ChainProtocol>;
};

/**
 * Returns the inbound filter chains that istiod makes of a workload's mutual TLS modes: first those of known ports, then those of
 * all other ports, then those of ports with a mode of their own.
 *
 * STRICT has TLS alone; PERMISSIVE also plaintext, and TLS that is not the mesh's as opaque TCP where a port may carry it; DISABLE
 * plaintext alone. The listener needs Envoy's TLS inspector, and its HTTP inspector for ports about which nothing is known.
 * @example
 * ```ts
 * import { parseWorkload, peerMtls } from "@signet/documents";
 * import { inboundFilterChains } from "@signet/envoy-config";
 * const modes = peerMtls([], parseWorkload("foo/app=httpbin"), { rootNamespace: "istio-system" });
 * inboundFilterChains(modes, { trustDomains: ["cluster.local"] }).length; // 5: PERMISSIVE
 * ```
 */
export function inboundFilterChains(
  { mode, portModes }: PeerMtls,
  options: FilterChainOptions,
): readonly FilterChain[] {
  const known = [...(options.ports ?? [])].sort(([one], [other]) => one - other);
  const isKnown = new Set(known.map(([port]) => port));
  return [
    ...known.flatMap(([port, protocol]) => chains({ port, protocol, mode: portModes.get(port) ?? mode }, options)),
    ...chains({ mode }, options),
    ...[...portModes].flatMap(([port, ofPort]) => (isKnown.has(port) ? [] : chains({ port, mode: ofPort }, options))),
  ];
}

/** What a client speaks, and so which chain is for it. */
type ChainMatch = {
  readonly protocol: ChainProtocol;
  readonly transport: "tls" | "raw_buffer";
  readonly alpn?: readonly string[];
  /** Whether TLS is ended here, and the peer's certificate asked for. */
  readonly isMutualTls?: boolean;
};

/** What sidecars of the mesh offer for HTTP over mutual TLS. */
const meshHttp = ["istio-http/1.0", "istio-http/1.1", "istio-h2"];
const meshTcp = ["istio-peer-exchange", "istio"];
const meshAll = ["istio", "istio-peer-exchange", ...meshHttp];
/** What the HTTP inspector finds in plaintext. */
const plainHttp = ["http/1.1", "h2c"];

/** By what is known of a port and by mode. */
const matches: Readonly<Record<ChainProtocol | "unknown", Readonly<Record<PeerMtlsMode, readonly ChainMatch[]>>>> = {
  http: {
    STRICT: [{ protocol: "http", transport: "tls", isMutualTls: true }],
    PERMISSIVE: [
      { protocol: "http", transport: "tls", alpn: meshAll, isMutualTls: true },
      { protocol: "http", transport: "raw_buffer" },
    ],
    DISABLE: [{ protocol: "http", transport: "raw_buffer" }],
  },
  tcp: {
    STRICT: [{ protocol: "tcp", transport: "tls", isMutualTls: true }],
    PERMISSIVE: [
      { protocol: "tcp", transport: "tls", alpn: meshAll, isMutualTls: true },
      { protocol: "tcp", transport: "tls" },
      { protocol: "tcp", transport: "raw_buffer" },
    ],
    DISABLE: [{ protocol: "tcp", transport: "raw_buffer" }],
  },
  unknown: {
    STRICT: [
      { protocol: "http", transport: "tls", alpn: meshHttp, isMutualTls: true },
      { protocol: "tcp", transport: "tls", isMutualTls: true },
    ],
    PERMISSIVE: [
      { protocol: "http", transport: "tls", alpn: meshHttp, isMutualTls: true },
      { protocol: "http", transport: "raw_buffer", alpn: plainHttp },
      { protocol: "tcp", transport: "tls", alpn: meshTcp, isMutualTls: true },
      { protocol: "tcp", transport: "raw_buffer" },
      { protocol: "tcp", transport: "tls" },
    ],
    DISABLE: [
      { protocol: "http", transport: "raw_buffer", alpn: plainHttp },
      { protocol: "tcp", transport: "raw_buffer" },
    ],
  },
};

/** Istiod's names of the chains for ports that no Service has. */
const passthroughNames = { http: "virtualInbound-catchall-http", tcp: "virtualInbound" };

type PortToServe = {
  /** Absent for every port that has no chains of its own. */
  readonly port?: number;
  readonly protocol?: ChainProtocol;
  readonly mode: PeerMtlsMode;
};

function chains({ port, protocol, mode }: PortToServe, options: FilterChainOptions): readonly FilterChain[] {
  return matches[protocol ?? "unknown"][mode].map((match) => ({
    name: protocol === undefined ? passthroughNames[match.protocol] : `0.0.0.0_${port}`,
    filterChainMatch: withoutDefaults({
      destinationPort: port,
      transportProtocol: match.transport,
      applicationProtocols: match.alpn,
    }),
    ...(match.isMutualTls && { transportSocket: mutualTlsSocket({ ...options, protocol: match.protocol }) }),
  }));
}

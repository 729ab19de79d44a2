import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { jwtAuthnFilter, rbacFilters } from "@signet/envoy-config";
import { startEnvoyProcess } from "../support/envoy-process.ts";
import type { Identities } from "./identities.ts";
import { type PolicySet, trustDomain, trustDomainAliases } from "./policy-sets.ts";
import { jwtRules } from "./tokens.ts";

/** An Envoy with listeners for each set of policies. */
export type PolicyMesh = {
  portsOf(policySet: PolicySet, layer: "http" | "tcp"): ListenerPorts;
  /** What the TCP listeners have logged of their connections, which takes a moment, by listener and the client's port. */
  tcpLog(): Promise<ReadonlyMap<string, TcpLogEntry>>;
  stop(): Promise<void>;
};

/** What became of a TCP connection. */
export type TcpLogEntry = { readonly details: string; readonly rbac: Readonly<Record<string, unknown>> };

/** Where one listener listens, on 127.0.0.1 and on ::1. */
export type ListenerPorts = { readonly v4: number; readonly v6: number };

export const trustDomains: readonly string[] = [trustDomain, ...trustDomainAliases];

/** Starts an Envoy that answers every request that it lets through itself, and says in headers what decided. */
export async function startPolicyMesh(
  binary: string,
  policySets: readonly PolicySet[],
  identities: Identities,
): Promise<PolicyMesh> {
  const directory = await mkdtemp(join(tmpdir(), "signet-authz-"));
  const logFile = join(directory, "tcp.log");
  const listeners = policySets.flatMap((policySet) => [
    httpListener(policySet, identities),
    tcpListener(policySet, { identities, logFile }),
  ]);
  try {
    const envoy = await startEnvoyProcess({ binary, directory, bootstrap: { staticResources: { listeners } } });
    const ports = readPorts(await envoy.ask("/listeners?format=json"));
    return {
      portsOf: ({ index }, layer) => ports.get(`${layer}-${index}`) ?? { v4: 0, v6: 0 },
      tcpLog: () => readTcpLog(logFile),
      stop: async () => {
        await envoy.stop();
        await rm(directory, { recursive: true, force: true });
      },
    };
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
}

type SocketAddress = { readonly socket_address: { readonly port_value: number } };
type Listing = {
  readonly listener_statuses: readonly {
    readonly name: string;
    readonly local_address: SocketAddress;
    readonly additional_local_addresses: readonly SocketAddress[];
  }[];
};

export function readPorts(json: string): ReadonlyMap<string, ListenerPorts> {
  const { listener_statuses: listeners } = JSON.parse(json) as Listing;
  return new Map(
    listeners.map(({ name, local_address: v4, additional_local_addresses: [v6] }) => [
      name,
      { v4: v4.socket_address.port_value, v6: v6?.socket_address.port_value ?? 0 },
    ]),
  );
}

function httpListener(policySet: PolicySet, identities: Identities): object {
  const { index, policies } = policySet;
  const filters = [...jwtAuthnFilter(jwtRules).filters, ...rbacFilters(policies, { trustDomains }).filters];
  return listener(`http-${index}`, [answeringManager(filters)], identities);
}

function tcpListener(
  { index, policies }: PolicySet,
  { identities, logFile }: { readonly identities: Identities; readonly logFile: string },
): object {
  const echo = {
    name: "envoy.filters.network.echo",
    typedConfig: { "@type": "type.googleapis.com/envoy.extensions.filters.network.echo.v3.Echo" },
  };
  const filters = [...rbacFilters(policies, { trustDomains, protocol: "tcp" }).filters, echo];
  const format = {
    id: `tcp-${index} %DOWNSTREAM_REMOTE_PORT%`,
    details: "%CONNECTION_TERMINATION_DETAILS%",
    rbac: "%DYNAMIC_METADATA(envoy.filters.network.rbac)%",
  };
  const accessLog = {
    name: "envoy.access_loggers.file",
    typedConfig: {
      "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
      path: logFile,
      logFormat: { jsonFormat: format },
    },
  };
  return { ...listener(`tcp-${index}`, filters, identities), accessLog: [accessLog] };
}

async function readTcpLog(path: string): Promise<ReadonlyMap<string, TcpLogEntry>> {
  const text = await readFile(path, "utf8").catch(() => "");
  type Line = { readonly id: string; readonly details: string | null; readonly rbac: TcpLogEntry["rbac"] | null };
  const lines = text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Line);
  return new Map(lines.map(({ id, details, rbac }) => [id, { details: details ?? "", rbac: rbac ?? {} }]));
}

export function listener(name: string, filters: readonly object[], identities: Identities): object {
  return {
    name,
    address: { socketAddress: { address: "127.0.0.1", portValue: 0 } },
    additionalAddresses: [{ address: { socketAddress: { address: "::1", portValue: 0 } } }],
    listenerFilters: [
      {
        name: "envoy.filters.listener.proxy_protocol",
        typedConfig: {
          "@type": "type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol",
        },
      },
      {
        name: "envoy.filters.listener.tls_inspector",
        typedConfig: { "@type": "type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector" },
      },
    ],
    filterChains: [
      { filters, filterChainMatch: { transportProtocol: "tls" }, transportSocket: tlsSocket(identities) },
      { filters, filterChainMatch: { transportProtocol: "raw_buffer" } },
    ],
  };
}

function tlsSocket({ rootPem, server }: Identities): object {
  return {
    name: "envoy.transport_sockets.tls",
    typedConfig: {
      "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
      requireClientCertificate: false,
      commonTlsContext: {
        tlsCertificates: [
          { certificateChain: { inlineString: server.cert }, privateKey: { inlineString: server.key } },
        ],
        validationContext: { trustedCa: { inlineString: rootPem } },
        alpnProtocols: ["http/1.1"],
      },
    },
  };
}

/** Headers that say what decided: details of a refusal, and what RBAC filters left as metadata. */
export const decisionHeaders = { details: "x-details", rbac: "x-rbac", hint: "x-hint", check: "x-check" } as const;

export function answeringManager(filters: readonly object[]): object {
  const header = (key: string, value: string): object => ({
    header: { key, value },
    appendAction: "OVERWRITE_IF_EXISTS_OR_ADD",
  });
  const routes = [{ match: { prefix: "" }, directResponse: { status: 200, body: { inlineString: "through" } } }];
  return {
    name: "envoy.filters.network.http_connection_manager",
    typedConfig: {
      "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
      statPrefix: "http",
      generateRequestId: false,
      preserveExternalRequestId: true,
      skipXffAppend: true,
      maxRequestHeadersKb: 256,
      routeConfig: { virtualHosts: [{ name: "all", domains: ["*"], routes }] },
      localReplyConfig: {
        mappers: [
          {
            filter: { statusCodeFilter: { comparison: { op: "GE", value: { defaultValue: 0, runtimeKey: "none" } } } },
            headersToAdd: [
              header(decisionHeaders.details, "%RESPONSE_CODE_DETAILS%"),
              header(decisionHeaders.rbac, "%DYNAMIC_METADATA(envoy.filters.http.rbac)%"),
              header(decisionHeaders.hint, "%DYNAMIC_METADATA(envoy.common:access_log_hint)%"),
              header(decisionHeaders.check, "%DYNAMIC_METADATA(envoy.filters.http.ext_authz:policy_id)%"),
            ],
          },
        ],
      },
      httpFilters: [
        ...filters,
        {
          name: "envoy.filters.http.router",
          typedConfig: { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
        },
      ],
    },
  };
}

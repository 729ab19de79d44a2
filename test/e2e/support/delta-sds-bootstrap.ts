const tls = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3";
const http = "type.googleapis.com/envoy.extensions.filters";

/** A secret of the agent, by incremental SDS, as Envoy's configuration asks for it. */
export function secretOverDelta(name: string): object {
  return {
    name,
    sds_config: {
      resource_api_version: "V3",
      initial_fetch_timeout: "0s",
      api_config_source: {
        api_type: "DELTA_GRPC",
        transport_api_version: "V3",
        set_node_on_first_message_only: true,
        grpc_services: [{ envoy_grpc: { cluster_name: "sds-grpc" } }],
      },
    },
  };
}

/** The agent's socket as a cluster. */
export function sdsCluster(path: string): object {
  return {
    name: "sds-grpc",
    type: "STATIC",
    connect_timeout: "1s",
    typed_extension_protocol_options: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        explicit_http_config: { http2_protocol_options: {} },
      },
    },
    load_assignment: {
      cluster_name: "sds-grpc",
      endpoints: [{ lb_endpoints: [{ endpoint: { address: { pipe: { path } } } }] }],
    },
  };
}

/** A TLS context that shows one secret, and checks peers by another where there is one. */
export function tlsContext(side: "Upstream" | "Downstream", certificate: object, roots?: object): object {
  return {
    "@type": `${tls}.${side}TlsContext`,
    common_tls_context: {
      tls_certificate_sds_secret_configs: [certificate],
      ...(roots !== undefined && { validation_context_sds_secret_config: roots }),
    },
  };
}

/** A route action that says hello. */
export function directResponse(headers: Readonly<Record<string, string>>): object {
  return {
    direct_response: { status: 200, body: { inline_string: "hello" } },
    response_headers_to_add: Object.entries(headers).map(([key, value]) => ({ header: { key, value } })),
  };
}

/** A listener for HTTP on a Unix socket with one route; with TLS, where a context is given. */
export function httpOver(
  { path, name, tls: context }: { readonly path: string; readonly name: string; readonly tls?: object },
  route: object,
): object {
  const routes = [{ match: { prefix: "/" }, ...route }];
  return {
    name,
    address: { pipe: { path, mode: 0o600 } },
    filter_chains: [
      {
        ...(context && { transport_socket: { name: "envoy.transport_sockets.tls", typed_config: context } }),
        filters: [
          {
            name: "envoy.filters.network.http_connection_manager",
            typed_config: {
              "@type": `${http}.network.http_connection_manager.v3.HttpConnectionManager`,
              stat_prefix: name,
              route_config: { name, virtual_hosts: [{ name, domains: ["*"], routes }] },
              http_filters: [
                {
                  name: "envoy.filters.http.router",
                  typed_config: { "@type": `${http}.http.router.v3.Router` },
                },
              ],
            },
          },
        ],
      },
    ],
  };
}

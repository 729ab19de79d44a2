/** Parts of Envoy's configuration that every differential needs, in proto JSON. */

/** Header in which the upstream is told what policies would see of the token. */
export const payloadHeader = "x-differential-payload";

/** A cluster whose only endpoint is a Unix socket. */
export function clusterAt(name: string, path: string): object {
  const endpoint = { address: { pipe: { path } } };
  return {
    name,
    connectTimeout: "5s",
    type: "STATIC",
    loadAssignment: { clusterName: name, endpoints: [{ lbEndpoints: [{ endpoint }] }] },
    circuitBreakers: { thresholds: [{ maxConnections: 10_000, maxPendingRequests: 10_000, maxRequests: 10_000 }] },
  };
}

/** The same, for gRPC. */
export function grpcClusterAt(name: string, path: string): object {
  const options = {
    "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
    explicitHttpConfig: { http2ProtocolOptions: {} },
  };
  return {
    ...clusterAt(name, path),
    typedExtensionProtocolOptions: { "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options },
  };
}

/** The filter that asks the authorization server of a cluster, as docs/ext-authz.md says. */
export function extAuthz(clusterName: string): object {
  return {
    name: "envoy.filters.http.ext_authz",
    typedConfig: {
      "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz",
      transportApiVersion: "V3",
      grpcService: { envoyGrpc: { clusterName }, timeout: "10s" },
      failureModeAllow: false,
      encodeRawHeaders: true,
      includeTlsSession: true,
    },
  };
}

/** A connection manager with these filters before the router, that adds as little as it can to requests. */
export function connectionManager(filters: readonly object[], more: object = {}): object {
  const router = {
    name: "envoy.filters.http.router",
    typedConfig: {
      "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
      suppressEnvoyHeaders: true,
    },
  };
  const routes = [{ match: { prefix: "" }, route: { cluster: "echo", timeout: "30s" } }];
  return {
    name: "envoy.filters.network.http_connection_manager",
    typedConfig: {
      "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
      statPrefix: "http",
      codecType: "AUTO",
      generateRequestId: false,
      skipXffAppend: true,
      serverHeaderTransformation: "PASS_THROUGH",
      maxRequestHeadersKb: 256,
      streamIdleTimeout: "60s",
      routeConfig: { virtualHosts: [{ name: "all", domains: ["*"], routes }], validateClusters: false },
      httpFilters: [...filters, router],
      ...more,
    },
  };
}

/** Tells the upstream what `jwt_authn` has published, as JSON in a header. */
export function publishPayload(): object {
  const header = { key: payloadHeader, value: "%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:payload)%" };
  return {
    name: "envoy.filters.http.header_mutation",
    typedConfig: {
      "@type": "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
      mutations: { requestMutations: [{ append: { header, appendAction: "OVERWRITE_IF_EXISTS_OR_ADD" } }] },
    },
  };
}

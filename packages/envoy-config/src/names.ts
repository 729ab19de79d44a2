/** Names that istiod gives to filters, by what dashboards, EnvoyFilters and metadata matchers find them. */
export const filterNames = {
  jwtAuthn: "envoy.filters.http.jwt_authn",
  httpRbac: "envoy.filters.http.rbac",
  httpExtAuthz: "envoy.filters.http.ext_authz",
  networkRbac: "envoy.filters.network.rbac",
  networkExtAuthz: "envoy.filters.network.ext_authz",
} as const;

const extension = "type.googleapis.com/envoy.extensions";

/** Type URLs of the messages in `typedConfig`. */
export const typeUrls: Readonly<Record<keyof typeof filterNames | "uriTemplate" | "downstreamTls", string>> = {
  jwtAuthn: `${extension}.filters.http.jwt_authn.v3.JwtAuthentication`,
  httpRbac: `${extension}.filters.http.rbac.v3.RBAC`,
  httpExtAuthz: `${extension}.filters.http.ext_authz.v3.ExtAuthz`,
  networkRbac: `${extension}.filters.network.rbac.v3.RBAC`,
  networkExtAuthz: `${extension}.filters.network.ext_authz.v3.ExtAuthz`,
  uriTemplate: `${extension}.path.match.uri_template.v3.UriTemplateMatchConfig`,
  downstreamTls: `${extension}.transport_sockets.tls.v3.DownstreamTlsContext`,
};

/** The key under which `jwt_authn` publishes the claims of the token it has accepted. */
export const jwtPayloadKey = "payload";

/** What stands before the statistics of network filters. */
export const tcpStatPrefix = "tcp.";

/** What stands before the metadata and statistics of rules that are watched and not enforced. */
export const shadowPrefixes = {
  allow: "istio_dry_run_allow_",
  deny: "istio_dry_run_deny_",
  extAuthz: "istio_ext_authz_",
} as const;

/** The cluster of requests to a port of a host, such as `outbound|443||issuer.example`. */
export function outboundCluster(host: string, port: number): string {
  return `outbound|${port}||${host}`;
}

/** What Envoy calls a rule, in details of refusals, metadata and logs. */
export function rbacPolicyId({ namespace, name }: { namespace: string; name: string }, rule: number): string {
  return `ns[${namespace}]-policy[${name}]-rule[${rule}]`;
}

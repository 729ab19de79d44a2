/** Names that istiod gives to filters, by what dashboards, EnvoyFilters and metadata matchers find them. */
export const filterNames = {
  jwtAuthn: "envoy.filters.http.jwt_authn",
} as const;

const typePrefix = "type.googleapis.com/envoy";

/** Type URLs of the messages in `typedConfig`. */
export const typeUrls: { readonly jwtAuthn: string } = {
  jwtAuthn: `${typePrefix}.extensions.filters.http.jwt_authn.v3.JwtAuthentication`,
};

/** The key under which `jwt_authn` publishes the claims of the token it has accepted. */
export const jwtPayloadKey = "payload";

/** The cluster of requests to a port of a host, such as `outbound|443||issuer.example`. */
export function outboundCluster(host: string, port: number): string {
  return `outbound|${port}||${host}`;
}

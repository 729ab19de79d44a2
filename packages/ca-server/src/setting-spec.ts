import { type HostPort, type LogLevel, logLevels, type Setting, setting } from "@signet/runtime";
import { parseTrustDomain, type TrustDomain } from "@signet/spiffe";
import { type JwtRule, parseJwtRules } from "./token-issuers.ts";

/** The settings as parsed one by one, before they are checked against each other. Durations in milliseconds. */
export type CaServerSettingValues = {
  readonly caListen: HostPort;
  readonly monitoringListen: HostPort;
  readonly httpListen: HostPort;
  readonly trustDomain: TrustDomain;
  readonly stateDirectory: string;
  readonly selfSignedKey: "rsa-2048" | "p256" | undefined;
  readonly servingNames: readonly string[];
  readonly logLevel: LogLevel;
  readonly enableCaServer: boolean;
  readonly externalCa: string;
  readonly useRemoteCerts: boolean;
  readonly certProvider: string;
  readonly compliancePolicy: string;
  readonly rootCaDirectory: string;
  readonly defaultTtlMs: number;
  readonly maxTtlMs: number;
  readonly selfSignedTtlMs: number;
  readonly selfSignedRsaBits: "2048" | "3072" | "4096";
  readonly jwtRules: readonly JwtRule[];
  readonly tokenIssuer: string;
  readonly tokenIssuerAudience: string;
  readonly tokenAudiences: readonly string[];
  readonly customHosts: readonly string[];
  readonly namespace: string;
  readonly revision: string;
  readonly maxConcurrentStreams: number;
  readonly maxReceiveBytes: number;
  readonly keepaliveTimeMs: number;
  readonly keepaliveTimeoutMs: number;
};

/** How each of them is read. */
export type CaServerSettingSpec = {
  readonly [Name in keyof CaServerSettingValues]: Setting<CaServerSettingValues[Name]>;
};

const hourMs = 3_600_000;
/** A timer of Node that is asked for more fires at once. */
const longestTimerMs = 2 ** 31 - 1;

/** Everything the CA server can be told, by environment variable or flag; Istio's names and defaults where Istio has them. */
export const caServerSettings: CaServerSettingSpec = {
  caListen: setting.hostPort({
    env: "SIGNET_CA_LISTEN",
    flag: "ca-listen",
    default: { host: "::", port: 15_012 },
    description: "address of the CA RPC (gRPC over TLS)",
  }),
  monitoringListen: setting.hostPort({
    env: "SIGNET_MONITORING_LISTEN",
    flag: "monitoring-listen",
    default: { host: "::", port: 15_014 },
    description: "address of /metrics and /version (HTTP)",
  }),
  httpListen: setting.hostPort({
    env: "SIGNET_HTTP_LISTEN",
    flag: "http-listen",
    default: { host: "::", port: 8_080 },
    description: "address of /ready (HTTP)",
  }),
  trustDomain: setting.parsed({
    env: "SIGNET_TRUST_DOMAIN",
    flag: "trust-domain",
    default: parseTrustDomain("cluster.local"),
    // Istio allows an @ in the trust domain of its mesh config, and writes a dot for it into every SPIFFE ID.
    read: (text) => parseTrustDomain(text.replaceAll("@", ".")),
    description: "trust domain of the certificates that are issued; an @ in it becomes a dot",
  }),
  stateDirectory: setting.text({
    env: "SIGNET_STATE_DIR",
    flag: "state-dir",
    default: "./var/lib/signet",
    description: "where the self-signed CA is kept; unused with a plugged-in CA",
  }),
  selfSignedKey: setting.choice({
    env: "SIGNET_SELF_SIGNED_CA_KEY",
    flag: "self-signed-ca-key",
    choices: ["rsa-2048", "p256"],
    description: "key of a new self-signed root; RSA of CITADEL_SELF_SIGNED_CA_RSA_KEY_SIZE bits unless set",
  }),
  servingNames: setting.list({
    env: "SIGNET_SERVING_NAMES",
    flag: "serving-names",
    default: [],
    description: "further DNS names and IP addresses of the server's own certificate",
  }),
  logLevel: setting.choice({
    env: "SIGNET_LOG_LEVEL",
    flag: "log-level",
    choices: logLevels,
    default: "info",
    description: "least severe level that is logged",
  }),
  enableCaServer: setting.bool({
    env: "ENABLE_CA_SERVER",
    flag: "enable-ca-server",
    default: true,
    description: "false stops the start: this process is nothing but a CA server",
  }),
  externalCa: setting.text({
    env: "EXTERNAL_CA",
    flag: "external-ca",
    default: "",
    description: "only empty is supported; anything else stops the start",
  }),
  useRemoteCerts: setting.bool({
    env: "USE_REMOTE_CERTS",
    flag: "use-remote-certs",
    default: false,
    description: "only false is supported; true stops the start",
  }),
  certProvider: setting.text({
    env: "PILOT_CERT_PROVIDER",
    flag: "pilot-cert-provider",
    default: "istiod",
    description:
      "only istiod is supported: the server's own certificate comes from its own CA; anything else stops the start",
  }),
  compliancePolicy: setting.text({
    env: "COMPLIANCE_POLICY",
    flag: "compliance-policy",
    default: "",
    description: "only empty is supported; anything else stops the start",
  }),
  rootCaDirectory: setting.text({
    env: "ROOT_CA_DIR",
    flag: "root-ca-dir",
    default: "./etc/cacerts",
    description: "directory of a plugged-in CA; the CA is self-signed when it holds none",
  }),
  defaultTtlMs: setting.duration({
    env: "DEFAULT_WORKLOAD_CERT_TTL",
    flag: "default-workload-cert-ttl",
    default: 24 * hourMs,
    minMs: 1_000,
    description: "lifetime of a certificate when the caller asks for none",
  }),
  maxTtlMs: setting.duration({
    env: "MAX_WORKLOAD_CERT_TTL",
    flag: "max-workload-cert-ttl",
    default: 2_160 * hourMs,
    minMs: 1_000,
    description: "longest lifetime that a caller may ask for",
  }),
  selfSignedTtlMs: setting.duration({
    env: "CITADEL_SELF_SIGNED_CA_CERT_TTL",
    flag: "citadel-self-signed-ca-cert-ttl",
    default: 87_600 * hourMs,
    minMs: 1_000,
    description: "lifetime of a new self-signed root",
  }),
  selfSignedRsaBits: setting.choice({
    env: "CITADEL_SELF_SIGNED_CA_RSA_KEY_SIZE",
    flag: "citadel-self-signed-ca-rsa-key-size",
    choices: ["2048", "3072", "4096"],
    default: "2048",
    description: "bits of the RSA key of a new self-signed root",
  }),
  jwtRules: setting.json({
    env: "JWT_RULE",
    flag: "jwt-rule",
    default: [],
    read: parseJwtRules,
    description:
      "OIDC issuers whose tokens count: one JWTRule as JSON (issuer, jwksUri, audiences) or an array of them",
  }),
  tokenIssuer: setting.text({
    env: "TOKEN_ISSUER",
    flag: "token-issuer",
    default: "",
    description: "one more OIDC issuer whose tokens count, its keys found by discovery",
  }),
  tokenIssuerAudience: setting.text({
    env: "AUDIENCE",
    flag: "audience",
    default: "",
    description: "audience of the tokens of TOKEN_ISSUER; TOKEN_AUDIENCES unless set",
  }),
  tokenAudiences: setting.list({
    env: "TOKEN_AUDIENCES",
    flag: "token-audiences",
    default: ["istio-ca"],
    description: "audiences, one of which a token must name where its issuer's rule names none",
  }),
  customHosts: setting.list({
    env: "ISTIOD_CUSTOM_HOST",
    flag: "istiod-custom-host",
    default: [],
    description: "further DNS names of the server's own certificate",
  }),
  namespace: setting.text({
    env: "POD_NAMESPACE",
    flag: "pod-namespace",
    default: "istio-system",
    description: "namespace in the names of the server's own certificate",
  }),
  revision: setting.text({
    env: "REVISION",
    flag: "revision",
    default: "",
    description: "revision in the names of the server's own certificate",
  }),
  maxConcurrentStreams: setting.integer({
    env: "ISTIO_GPRC_MAXSTREAMS",
    flag: "istio-gprc-maxstreams",
    default: 100_000,
    min: 1,
    max: 2_147_483_647,
    description: "most calls at a time on one connection",
  }),
  maxReceiveBytes: setting.integer({
    env: "ISTIO_GPRC_MAXRECVMSGSIZE",
    flag: "istio-gprc-maxrecvmsgsize",
    default: 4 * 1024 * 1024,
    min: 1_024,
    max: 2_147_483_647,
    description: "largest message that is received, in bytes",
  }),
  keepaliveTimeMs: setting.duration({
    env: "GRPC_KEEPALIVE_INTERVAL",
    flag: "grpc-keepalive-interval",
    default: 30_000,
    minMs: 1_000,
    maxMs: longestTimerMs,
    description: "silence after which a connection is pinged",
  }),
  keepaliveTimeoutMs: setting.duration({
    env: "GRPC_KEEPALIVE_TIMEOUT",
    flag: "grpc-keepalive-timeout",
    default: 10_000,
    minMs: 100,
    maxMs: longestTimerMs,
    description: "time for the answer to a ping, after which the connection is closed",
  }),
};

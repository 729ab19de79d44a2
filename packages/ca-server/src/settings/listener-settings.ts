import { type HostPort, type LogLevel, logLevels, type Setting, setting } from "@signet/runtime";

/** How the server listens, answers and logs. Durations in milliseconds. */
export type ListenerSettingValues = {
  readonly caListen: HostPort;
  readonly monitoringListen: HostPort;
  readonly httpListen: HostPort;
  readonly logLevel: LogLevel;
  readonly maxConcurrentStreams: number;
  readonly maxReceiveBytes: number;
  readonly keepaliveTimeMs: number;
  readonly keepaliveTimeoutMs: number;
  readonly callDeadlineMs: number;
};

/** A timer of Node that is asked for more fires at once. */
const longestTimerMs = 2 ** 31 - 1;

/** Ports, limits and the log. */
export const listenerSettings: {
  readonly [Name in keyof ListenerSettingValues]: Setting<ListenerSettingValues[Name]>;
} = {
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
  logLevel: setting.choice({
    env: "SIGNET_LOG_LEVEL",
    flag: "log-level",
    choices: logLevels,
    default: "info",
    description: "least severe level that is logged",
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
  callDeadlineMs: setting.duration({
    env: "SIGNET_CREATE_CERTIFICATE_TIMEOUT",
    flag: "create-certificate-timeout",
    default: 60_000,
    minMs: 1_000,
    maxMs: 600_000,
    description: "time for one CreateCertificate, whatever its client allows",
  }),
};

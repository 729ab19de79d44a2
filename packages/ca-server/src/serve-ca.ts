import type { SigningCa } from "@signet/ca";
import {
  GrpcError,
  type GrpcListener,
  type HealthState,
  type ServiceBinding,
  serve,
  tlsServerCredentials,
} from "@signet/grpc";
import { type Logger, mapSource } from "@signet/runtime";
import { logEvent } from "./log-events.ts";
import type { CaServerMetrics } from "./metrics.ts";
import type { ServingCertificate } from "./serving/serving-certificate.ts";
import type { CaServerSettings } from "./settings.ts";

/**
 * Serves the CA RPC over TLS with health and reflection, by istiod's parameters.
 *
 * A client certificate is asked for and never required, and is trusted by the trust bundle as it is when the connection
 * is made; istiod's pool is built once, and an invalid certificate ends its handshake.
 */
export async function serveCa(
  { caListen, transport, callDeadlineMs }: Pick<CaServerSettings, "caListen" | "transport" | "callDeadlineMs">,
  parts: {
    readonly service: ServiceBinding;
    readonly certificate: ServingCertificate;
    readonly signingCa: SigningCa;
    readonly health: HealthState;
    readonly metrics: CaServerMetrics;
    readonly logger: Logger;
  },
): Promise<GrpcListener> {
  const { logger } = parts;
  // "" is also every interface, and works on a machine without IPv6.
  const host = caListen.host === "::" ? "" : caListen.host;
  return await serve({
    listen: { host, port: caListen.port },
    credentials: tlsServerCredentials({
      serving: parts.certificate.pem,
      clientCa: mapSource(parts.signingCa.trustBundle, ({ pem }) => pem),
    }),
    services: [parts.service],
    health: parts.health,
    reflection: true,
    maxReceiveBytes: transport.maxReceiveBytes,
    maxConcurrentStreams: transport.maxConcurrentStreams,
    keepalive: {
      timeMs: transport.keepaliveTimeMs,
      timeoutMs: transport.keepaliveTimeoutMs,
    },
    // The handler's own deadline comes first and tells why.
    unaryDeadlineMs: callDeadlineMs + 5_000,
    onStart: (call) => parts.metrics.callStarted(call),
    onMessage: (message) => parts.metrics.messagePassed(message),
    onCall: (call) => parts.metrics.callFinished(call),
    onError: ({ service, method, error }) => logEvent(logger, "call failed", { service, method, error }),
    onConnectionError: (error) => {
      const ours = error instanceof GrpcError && error.code === "tls-material-invalid";
      logEvent(logger, ours ? "serving certificate refused" : "connection failed", { error });
    },
  });
}

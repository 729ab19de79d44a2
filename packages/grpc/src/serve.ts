import type { Socket } from "node:net";
import { ServerCredentials as GrpcServerCredentials, Server } from "@grpc/grpc-js";
import { acceptCall } from "./accept-call.ts";
import { createAcceptor } from "./acceptor.ts";
import type { BoundMethod, ServiceBinding } from "./bind-service.ts";
import { type CallObserver, guardedObserver } from "./call-observer.ts";
import { createDueList } from "./due-list.ts";
import { GrpcError } from "./errors.ts";
import type { HealthState } from "./health.ts";
import { http2ServerUnder, takeCalls } from "./http2-under-grpc.ts";
import { type BoundAddress, type ListenAddress, type Listening, listen } from "./listen.ts";
import { createPeers } from "./peer.ts";
import { createPingLimit } from "./ping-limit.ts";
import { RequestLimits } from "./request-limits.ts";
import type { CallHost, ServerCall } from "./server-call.ts";
import type { ServerCredentials } from "./server-credentials.ts";
import { createStartQueue } from "./start-queue.ts";
import { Status, StatusError } from "./status.ts";
import { answerUnaryCall } from "./unary-call.ts";

/** How `serve` serves; what is left out has Istio's value. */
export interface ServeOptions extends Partial<CallObserver> {
  readonly listen: ListenAddress;
  readonly credentials: ServerCredentials;
  readonly services: readonly ServiceBinding[];
  /** Serves `grpc.health.v1.Health` from this state. */
  readonly health?: HealthState;
  /** Serves server reflection, v1 and v1alpha; default false. */
  readonly reflection?: boolean;
  /** Largest request; default 4 MiB. A larger one answers RESOURCE_EXHAUSTED before it is read. */
  readonly maxReceiveBytes?: number;
  /**
   * Largest header list of a request by RFC 9113 section 6.5.2, told to clients; default 32768. A larger one ends its own call
   * with RESOURCE_EXHAUSTED, or with ENHANCE_YOUR_CALM, which gRPC clients report as that. A single header over 64 KiB ends the
   * connection, since HTTP/2 in Node cannot read on after it.
   */
  readonly maxHeaderListBytes?: number;
  /** How long the request of a unary call may take to arrive; default 15000. A later one answers DEADLINE_EXCEEDED. */
  readonly requestTimeoutMs?: number;
  /** How long a unary call may take altogether, whatever its client allows; default 75000. Then it answers DEADLINE_EXCEEDED. */
  readonly unaryDeadlineMs?: number;
  /**
   * What all unfinished requests together may hold; default 64 MiB. Beyond it, requests over 16 KiB answer RESOURCE_EXHAUSTED.
   */
  readonly maxUnfinishedBytes?: number;
  /** Calls at a time on one connection; default 100000. */
  readonly maxConcurrentStreams?: number;
  /** Connections at a time, further ones are closed at once; default without limit. */
  readonly maxConnections?: number;
  /** How long a TLS handshake may take; default 10000. */
  readonly handshakeTimeoutMs?: number;
  /**
   * Pings on every connection; default every 30000 with an answer within 10000. A client that pings more often than every
   * `minClientIntervalMs`, default 15000, is sent away after the third time; 0 lets clients ping as they like.
   */
  readonly keepalive?: {
    readonly timeMs?: number;
    readonly timeoutMs?: number;
    readonly minClientIntervalMs?: number;
  };
  /** Ends connections of this age, spread by a tenth either way, and cuts their calls after the grace; default never. */
  readonly connectionAge?: { readonly maxMs: number; readonly graceMs: number };
  /** Called when a TLS handshake fails or new TLS material is refused. */
  readonly onConnectionError?: (error: unknown) => void;
}

/** A running server. */
export interface GrpcListener {
  readonly address: BoundAddress;
  /**
   * Accepts no more connections and calls, tells clients so (GOAWAY), aborts the signal of streams so that they end in order,
   * lets calls finish for `graceMs` and then cuts them. Resolves when every connection is gone. Later calls join the first.
   */
  drain(graceMs: number): Promise<void>;
}

/**
 * Serves `services` until drained; resolves when the socket is bound.
 * @throws GrpcError `address-in-use`, `address-unavailable`, `listen-failed`, `socket-path-too-long`, `socket-directory-missing`,
 *   `socket-in-use`, `socket-path-occupied`, `tls-material-invalid`, `method-already-bound`
 * @example
 * ```ts
 * import { bindService, plaintextCredentials, serve } from "@signet/grpc";
 * import { IstioCertificateService } from "@signet/protos/istio/security/v1alpha1/ca";
 * const listener = await serve({
 *   listen: { host: "127.0.0.1", port: 0 },
 *   credentials: plaintextCredentials(),
 *   services: [bindService(IstioCertificateService, { createCertificate: async () => ({ certChain: [] }) })],
 * });
 * await listener.drain(1_000);
 * ```
 */
export async function serve(options: ServeOptions): Promise<GrpcListener> {
  const host = callHost(options);
  const services = [...options.services, ...(await ownServices(options))];
  const methods = indexMethods(services.flatMap((binding) => binding.methods));
  const server = createServer(options);
  const connections = server.createConnectionInjector(GrpcServerCredentials.createInsecure());
  const http2Server = http2ServerUnder(server);
  http2Server.updateSettings({ maxHeaderListSize: host.requestLimits.headerBytes });
  const target = { methods, maxReceiveBytes: options.maxReceiveBytes ?? 4 * 1024 * 1024, host };
  takeCalls(http2Server, (call) => acceptCall(call, target));
  host.pingLimit.watch(http2Server);
  let draining: Promise<void> | undefined;
  const events = {
    onReady: (socket: Socket) => (draining === undefined ? connections.injectConnection(socket) : socket.destroy()),
    onError: options.onConnectionError ?? (() => {}),
  };
  const acceptor = createAcceptor(options.credentials, events, options.handshakeTimeoutMs ?? 10_000);
  const maxConnections = options.maxConnections ?? Number.POSITIVE_INFINITY;
  const listening = await listen(options.listen, { maxConnections }, (socket) => acceptor.accept(socket));
  return {
    address: listening.address,
    drain(graceMs) {
      draining ??= drain({ listening, host, goAway: () => connections.destroy() }, graceMs);
      return draining;
    },
  };
}

/** How long the status of a stream may wait for its client to read what was sent before it. */
const statusMs = 20_000;

function callHost(options: ServeOptions): CallHost {
  return {
    peers: createPeers("socketPath" in options.listen ? "unix" : "tcp"),
    requestLimits: new RequestLimits({
      timeoutMs: options.requestTimeoutMs ?? 15_000,
      headerBytes: options.maxHeaderListBytes ?? 32_768,
      totalBytes: options.maxUnfinishedBytes ?? 64 * 1024 * 1024,
    }),
    pingLimit: createPingLimit(options.keepalive?.minClientIntervalMs ?? 15_000),
    unaryCalls: createDueList<ServerCall>(options.unaryDeadlineMs ?? 75_000, (call) =>
      call.overdue(new StatusError(Status.DEADLINE_EXCEEDED, "the call took longer than the server allows")),
    ),
    farewells: createDueList<ServerCall>(statusMs, (call) =>
      call.overdue(new StatusError(Status.DEADLINE_EXCEEDED, "the client did not read the status in time")),
    ),
    complete: createStartQueue(answerUnaryCall),
    running: new Set(),
    ...guardedObserver(options),
  };
}

/** Loaded only where they are wanted: descriptors cost memory and start-up time. */
async function ownServices(options: ServeOptions): Promise<readonly ServiceBinding[]> {
  const services: ServiceBinding[] = [];
  if (options.health !== undefined) {
    const { healthService } = await import("./health-service.ts");
    services.push(healthService(options.health));
  }
  if (options.reflection === true) {
    const { reflectionServices } = await import("./reflection-service.ts");
    services.push(...reflectionServices([...options.services, ...services].map((binding) => binding.service)));
  }
  return services;
}

/** By the paths of their requests. */
function indexMethods(methods: readonly BoundMethod[]): ReadonlyMap<string, BoundMethod> {
  const byPath = new Map(methods.map((method) => [`/${method.service}/${method.method}`, method]));
  if (byPath.size === methods.length) return byPath;
  throw new GrpcError("method-already-bound", "two services have a method of one name");
}

/** What keeps the connections; it never sees a call. */
function createServer(options: ServeOptions): Server {
  return new Server({
    "grpc.max_concurrent_streams": options.maxConcurrentStreams ?? 100_000,
    "grpc.keepalive_time_ms": options.keepalive?.timeMs ?? 30_000,
    "grpc.keepalive_timeout_ms": options.keepalive?.timeoutMs ?? 10_000,
    ...(options.connectionAge === undefined
      ? {}
      : {
          "grpc.max_connection_age_ms": options.connectionAge.maxMs,
          "grpc.max_connection_age_grace_ms": options.connectionAge.graceMs,
        }),
    "grpc.enable_channelz": 0,
  });
}

type Drainable = { readonly listening: Listening; readonly host: CallHost; readonly goAway: () => void };

/** How long calls that were cut may take to tell their clients, before connections are destroyed. */
const farewellMs = 100;

async function drain({ listening, host, goAway }: Drainable, graceMs: number): Promise<void> {
  const reason = new StatusError(Status.UNAVAILABLE, "the server is shutting down");
  const closed = listening.close();
  goAway();
  for (const call of host.running) if (call.method.kind === "stream") call.abort(reason);
  const cutCalls = setTimeout(() => {
    for (const call of host.running) call.cut(reason);
  }, graceMs);
  const destroyConnections = setTimeout(() => {
    for (const socket of listening.sockets) socket.destroy();
  }, graceMs + farewellMs);
  await closed;
  clearTimeout(cutCalls);
  clearTimeout(destroyConnections);
}

import type {
  DescMessage,
  DescMethodStreaming,
  DescMethodUnary,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import { ChannelCredentials, Channel as GrpcChannel } from "@grpc/grpc-js";
import { callStream, callUnary, type StreamCallOptions, type UnaryCallOptions } from "./call.ts";
import { type ClientTls, tlsChannelCredentials } from "./channel-credentials.ts";
import { GrpcError } from "./errors.ts";
import { checkSocketPath } from "./socket-file.ts";

/** How `connect` connects. */
export interface ConnectOptions {
  /** `host:port`, an IPv6 host in brackets, or `unix:` and a path. */
  readonly address: string;
  /** Without it the connection is plaintext. */
  readonly tls?: ClientTls;
  /** Largest response; default 4 MiB. */
  readonly maxReceiveBytes?: number;
  /** Pings while calls are open; default every 30000 with an answer within 10000. */
  readonly keepalive?: { readonly timeMs?: number; readonly timeoutMs?: number };
  /** Waits between attempts to connect, doubling with jitter; default 250 up to 10000. */
  readonly reconnect?: { readonly initialMs?: number; readonly maxMs?: number };
  /** Closes a connection without calls after this time, the next call makes a new one; at least 1000, default 30 minutes. */
  readonly idleTimeoutMs?: number;
}

/** A server to call. Failures of calls are StatusErrors. */
export interface Channel {
  /** The response to `request`. */
  unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    options: UnaryCallOptions,
  ): Promise<MessageShape<O>>;
  /**
   * The responses to `requests`, for every kind of streaming method. The call begins with the first read; leaving the loop
   * cancels it. No request is taken from `requests` before the one before it is on its way.
   */
  stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodStreaming<I, O>,
    requests: AsyncIterable<MessageInitShape<I>>,
    options: StreamCallOptions,
  ): AsyncIterable<MessageShape<O>>;
  /** Closes the connection once its calls are over; new calls fail. More calls of it do nothing. */
  close(): void;
}

/**
 * A Channel to `address`. It connects with the first call, keeps the connection, and connects again after it broke; a call
 * is sent again only if the server provably has not read it. It never goes through a proxy from the environment.
 * @throws GrpcError `address-malformed`, `socket-path-too-long`, `tls-material-invalid`
 * @example
 * ```ts
 * import { connect } from "@signet/grpc";
 * import { IstioCertificateService } from "@signet/protos/istio/security/v1alpha1/ca";
 * const channel = connect({ address: "unix:/run/signet/ca.sock" });
 * const answer = channel.unary(
 *   IstioCertificateService.method.createCertificate,
 *   { csr: "", validityDuration: 3600n },
 *   { deadlineMs: 5_000, signal: AbortSignal.timeout(10_000), metadata: { authorization: "Bearer ..." } },
 * );
 * answer.catch(() => channel.close());
 * ```
 */
export function connect(options: ConnectOptions): Channel {
  const { target, host } = parseAddress(options.address);
  const credentials =
    options.tls === undefined ? ChannelCredentials.createInsecure() : tlsChannelCredentials(options.tls, host);
  const channel = new GrpcChannel(target, credentials, channelOptions(options));
  return {
    unary: (method, request, callOptions) => callUnary({ channel, method }, request, callOptions),
    stream: (method, requests, callOptions) => callStream({ channel, method }, requests, callOptions),
    close: () => channel.close(),
  };
}

function channelOptions(options: ConnectOptions): ConstructorParameters<typeof GrpcChannel>[2] {
  const { keepalive, reconnect } = options;
  return {
    "grpc.max_receive_message_length": options.maxReceiveBytes ?? 4 * 1024 * 1024,
    "grpc.keepalive_time_ms": keepalive?.timeMs ?? 30_000,
    "grpc.keepalive_timeout_ms": keepalive?.timeoutMs ?? 10_000,
    "grpc.initial_reconnect_backoff_ms": reconnect?.initialMs ?? 250,
    "grpc.max_reconnect_backoff_ms": reconnect?.maxMs ?? 10_000,
    ...(options.idleTimeoutMs === undefined ? {} : { "grpc.client_idle_timeout_ms": options.idleTimeoutMs }),
    "grpc.enable_http_proxy": 0,
    // Without a service config there is no retry policy; what remains is one more attempt for a call that the server refused
    // unread, as it does while it says goodbye (GOAWAY).
    "grpc.service_config_disable_resolution": 1,
    "grpc.use_local_subchannel_pool": 1,
    "grpc.enable_channelz": 0,
  };
}

const hostPortPattern = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+)):(\d{1,5})$/;

function parseAddress(address: string): { readonly target: string; readonly host: string } {
  if (address.startsWith("unix:")) {
    checkSocketPath(address.slice("unix:".length));
    return { target: address, host: "localhost" };
  }
  const match = hostPortPattern.exec(address);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port < 1 || port > 65_535) {
    throw new GrpcError("address-malformed", `${JSON.stringify(address)} is neither host:port nor unix:path`);
  }
  return { target: `dns:${address}`, host };
}

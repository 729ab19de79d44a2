import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  bindService,
  type CallContext,
  type GrpcListener,
  plaintextCredentials,
  Status,
  StatusError,
  serve,
} from "@signet/grpc";
import type { DiscoveryRequest, DiscoveryResponseSchema } from "@signet/protos/envoy/service/discovery/v3/discovery";
import { SecretDiscoveryService } from "@signet/protos/envoy/service/secret/v3/sds";
import type { Source } from "@signet/runtime";
import { mergeInputs } from "./merge-inputs.ts";
import {
  advanceSecretStream,
  openSecretStream,
  type SecretRequest,
  type SecretResponse,
  type SecretSnapshot,
  type SecretStreamEvent,
  type SecretStreamNotice,
  secretTypeUrl,
} from "./secret-stream.ts";

/** Who is at the other end of a stream; `nodeId` is what the client calls itself. */
export type StreamInfo = { readonly streamId: string; readonly nodeId: string };

/** What the SDS server tells the log and the metrics. */
export interface SdsEvents {
  opened(stream: StreamInfo): void;
  closed(stream: StreamInfo): void;
  sent(stream: StreamInfo, response: SecretResponse): void;
  noticed(stream: StreamInfo, notice: SecretStreamNotice): void;
  failed(error: unknown): void;
}

export type SdsServerOptions = {
  readonly socketPath: string;
  readonly socketMode: number;
  readonly snapshots: Source<SecretSnapshot>;
  /** An id for each stream, unique also across restarts. */
  readonly newStreamId: () => string;
};

// A request carries the client's node, and with it the metadata of an Istio proxy: tens of kilobytes.
const maxRequestBytes = 1_048_576;
// Envoy needs one; whoever can reach the socket must not use up the agent's file descriptors.
const maxConnections = 4_096;
const maxNodeIdLength = 256;
const maxReasonLength = 1_024;

/**
 * Serves the secrets over SDS on a Unix socket until drained. A stale socket is replaced, a live one is not.
 *
 * StreamSecrets only, as istio-agent does; the delta and the unary method answer UNIMPLEMENTED.
 */
export function serveSds(options: SdsServerOptions, events: SdsEvents): Promise<GrpcListener> {
  return serve({
    listen: { socketPath: options.socketPath, mode: options.socketMode },
    credentials: plaintextCredentials(),
    services: [
      bindService(SecretDiscoveryService, {
        streamSecrets: (requests, context) => streamSecrets({ ...options, events }, requests, context),
      }),
    ],
    maxReceiveBytes: maxRequestBytes,
    maxConnections,
    onError: ({ error }) => events.failed(error),
  });
}

/** One SDS stream: the state machine of `secret-stream.ts` between the client's requests and the current secrets. */
export async function* streamSecrets(
  options: Pick<SdsServerOptions, "snapshots" | "newStreamId"> & { readonly events: SdsEvents },
  requests: AsyncIterable<DiscoveryRequest>,
  context: Pick<CallContext, "signal">,
): AsyncGenerator<MessageInitShape<typeof DiscoveryResponseSchema>, void, undefined> {
  const { events } = options;
  let stream: StreamInfo = { streamId: options.newStreamId(), nodeId: "" };
  let state = openSecretStream(stream.streamId);
  events.opened(stream);
  try {
    const updates = (signal: AbortSignal): AsyncIterable<SecretSnapshot> => options.snapshots.changes(signal);
    for await (const input of mergeInputs(updates, requests, context.signal)) {
      const event = eventOf(input, options.snapshots);
      if (stream.nodeId === "" && event.kind === "request") stream = { ...stream, nodeId: event.request.nodeId };
      const step = advanceSecretStream(state, event);
      state = step.state;
      for (const notice of step.notices) events.noticed(stream, notice);
      if (step.refusal !== undefined) throw new StatusError(Status.INVALID_ARGUMENT, step.refusal);
      if (step.response === undefined) continue;
      events.sent(stream, step.response);
      yield discoveryResponse(step.response);
    }
  } finally {
    events.closed(stream);
  }
}

function eventOf(input: SecretSnapshot | DiscoveryRequest, snapshots: Source<SecretSnapshot>): SecretStreamEvent {
  if (!("secrets" in input)) return { kind: "request", request: secretRequest(input) };
  // A client that was slow to take the last response gets the newest secrets and not those that were new meanwhile.
  return { kind: "secrets", snapshot: snapshots.current() ?? input };
}

function secretRequest(request: DiscoveryRequest): SecretRequest {
  const { typeUrl, resourceNames, responseNonce, versionInfo, errorDetail } = request;
  const nodeId = (request.node?.id ?? "").slice(0, maxNodeIdLength);
  const plain = { nodeId, typeUrl, resourceNames, responseNonce, versionInfo };
  return errorDetail === undefined
    ? plain
    : { ...plain, errorDetail: `${errorDetail.message.slice(0, maxReasonLength)} (code ${errorDetail.code})` };
}

function discoveryResponse(response: SecretResponse): MessageInitShape<typeof DiscoveryResponseSchema> {
  const { versionInfo, nonce, resources } = response;
  return { versionInfo, nonce, resources: [...resources], typeUrl: secretTypeUrl };
}

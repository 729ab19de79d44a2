import { Status, StatusError } from "@signet/grpc";
import type { Source } from "@signet/runtime";
import { mergeInputs } from "./merge-inputs.ts";
import type { SdsEvents, SentSecrets, StreamInfo } from "./sds-events.ts";
import type { SecretName } from "./secret-names.ts";
import type { SecretSnapshot, SecretStreamNotice } from "./secret-stream.ts";

/** What one event of a stream led to; `refusal` ends it with INVALID_ARGUMENT. */
type Step<State, Response> = {
  readonly state: State;
  readonly response?: Response;
  readonly refusal?: string;
  readonly notices: readonly SecretStreamNotice[];
};

type StreamEvent<Request> =
  | { readonly kind: "request"; readonly request: Request }
  | { readonly kind: "secrets"; readonly snapshot: SecretSnapshot };

/** One protocol of SDS: a pure state machine, and how its messages look on the wire. */
export type SecretProtocol<Wire, Request, State, Response, WireResponse> = {
  open(streamId: string): State;
  advance(state: State, event: StreamEvent<Request>): Step<State, Response>;
  /** The names that the client wants by now, known ones only. */
  namesIn(state: State): Iterable<SecretName>;
  readRequest(wire: Wire): Request;
  writeResponse(response: Response): WireResponse;
};

export type SecretStreamOptions = {
  readonly snapshots: Source<SecretSnapshot>;
  readonly newStreamId: () => string;
  /** Told of the names that each stream wants, so that they can be had; of none when it ends. */
  readonly follow: (streamId: string, names: Iterable<SecretName>) => void;
  readonly events: SdsEvents;
};

/** One SDS stream: the state machine of a protocol between the client's requests and the current secrets. */
export async function* serveSecretStream<
  Wire extends object,
  Request extends { readonly nodeId: string },
  State,
  Response extends SentSecrets,
  WireResponse,
>(
  protocol: SecretProtocol<Wire, Request, State, Response, WireResponse>,
  { snapshots, newStreamId, follow, events }: SecretStreamOptions,
  { requests, signal }: { readonly requests: AsyncIterable<Wire>; readonly signal: AbortSignal },
): AsyncGenerator<WireResponse, void, undefined> {
  let stream: StreamInfo = { streamId: newStreamId(), nodeId: "" };
  let state = protocol.open(stream.streamId);
  events.opened(stream);
  try {
    const updates = (until: AbortSignal): AsyncIterable<SecretSnapshot> => snapshots.changes(until);
    for await (const input of mergeInputs(updates, requests, signal)) {
      const event = eventOf(input);
      if (stream.nodeId === "" && event.kind === "request") stream = { ...stream, nodeId: event.request.nodeId };
      const step = protocol.advance(state, event);
      state = step.state;
      for (const notice of step.notices) events.noticed(stream, notice);
      if (event.kind === "request") follow(stream.streamId, protocol.namesIn(state));
      if (step.refusal !== undefined) throw new StatusError(Status.INVALID_ARGUMENT, step.refusal);
      if (step.response === undefined) continue;
      events.sent(stream, step.response);
      yield protocol.writeResponse(step.response);
    }
  } finally {
    follow(stream.streamId, []);
    events.closed(stream);
  }

  function eventOf(input: SecretSnapshot | Wire): StreamEvent<Request> {
    if (!isSnapshot(input)) return { kind: "request", request: protocol.readRequest(input) };
    // A client that was slow to take the last response gets the newest secrets and not those that were new meanwhile.
    return { kind: "secrets", snapshot: snapshots.current() ?? input };
  }
}

function isSnapshot(input: SecretSnapshot | object): input is SecretSnapshot {
  return "secrets" in input;
}

import type { Any } from "@bufbuild/protobuf/wkt";
import { parseSecretName, type SecretName } from "./secret-names.ts";
import { type SecretSnapshot, type SecretStreamNotice, secretTypeUrl } from "./secret-stream.ts";

/** What a DeltaDiscoveryRequest says, free of protobuf. */
export type DeltaSecretRequest = {
  readonly nodeId: string;
  readonly typeUrl: string;
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
  /** What the client holds from an earlier stream: revision by name. Counts in the first request alone. */
  readonly initialVersions: ReadonlyMap<string, string>;
  readonly responseNonce: string;
  /** Set when the client rejects a response: its reason. */
  readonly errorDetail?: string;
};

/** What a DeltaDiscoveryResponse will say; there is at least one resource or one removed name. */
export type DeltaSecretResponse = {
  readonly versionInfo: string;
  readonly nonce: string;
  readonly names: readonly SecretName[];
  readonly resources: readonly { readonly name: SecretName; readonly revision: string; readonly resource: Any }[];
  /** Names that nothing here has, as the client wrote them. */
  readonly removed: readonly string[];
};

/** Everything one delta stream remembers. */
export type DeltaSecretStreamState = {
  readonly streamId: string;
  readonly identified: boolean;
  readonly snapshot: SecretSnapshot | undefined;
  /** The revision that the client has of each name it is subscribed to; undefined while it has none. */
  readonly subscribed: ReadonlyMap<SecretName, string | undefined>;
  /** Responses that the client has neither taken nor rejected, oldest first: nonce and version. */
  readonly unanswered: readonly { readonly nonce: string; readonly versionInfo: string }[];
  readonly sequence: number;
};

export type DeltaSecretStreamEvent =
  | { readonly kind: "request"; readonly request: DeltaSecretRequest }
  | { readonly kind: "secrets"; readonly snapshot: SecretSnapshot };

/** What one event led to; `refusal` ends the stream with INVALID_ARGUMENT. */
export type DeltaSecretStreamStep = {
  readonly state: DeltaSecretStreamState;
  readonly response?: DeltaSecretResponse;
  readonly refusal?: string;
  readonly notices: readonly SecretStreamNotice[];
};

// A client that never answers keeps its responses unanswered; what it says of older ones then counts as stale.
const maxUnanswered = 64;

// Each request adds to what a stream remembers, so that without a bound one client takes all memory. Envoys want some dozens.
const maxSubscribed = 10_000;

/** A delta stream that has heard nothing yet; `streamId` must be unique, since it begins every nonce. */
export function openDeltaSecretStream(streamId: string): DeltaSecretStreamState {
  return {
    streamId,
    identified: false,
    snapshot: undefined,
    subscribed: new Map(),
    unanswered: [],
    sequence: 0,
  };
}

/**
 * What an incremental SDS stream answers to one event. Pure.
 *
 * A name that is subscribed to is sent once it has material, again whenever that changes, and again when the client subscribes
 * to it anew, as the xDS protocol has it. A name that nothing here has is listed as removed, once for each time it is asked
 * for, and not remembered. A name without material yet is neither sent nor removed: it is coming. Nothing stands for all
 * names, so a client that subscribes to `*` gets nobody's key. A stream with more than 10,000 names is refused.
 */
export function advanceDeltaSecretStream(
  state: DeltaSecretStreamState,
  event: DeltaSecretStreamEvent,
): DeltaSecretStreamStep {
  if (event.kind === "secrets") {
    return answerDue({ ...state, snapshot: event.snapshot }, { removed: [], notices: [] });
  }
  const { request } = event;
  if (request.typeUrl !== "" && request.typeUrl !== secretTypeUrl) {
    return { state, notices: [{ kind: "foreign-type", typeUrl: request.typeUrl }] };
  }
  if (!state.identified && request.nodeId === "") {
    return { state, refusal: "missing node information", notices: [] };
  }
  const subscribed = subscribe(state, request);
  if (subscribed.size > maxSubscribed) {
    return { state, refusal: `more than ${maxSubscribed} names on one stream`, notices: [] };
  }
  const { notices, unanswered } = answerOf(state, request);
  const unknown = request.subscribe.filter((name) => parseSecretName(name) === undefined);
  const more: readonly SecretStreamNotice[] = unknown.length === 0 ? [] : [{ kind: "unknown-names", names: unknown }];
  return answerDue(
    { ...state, identified: true, subscribed, unanswered },
    { removed: [...new Set(unknown)], notices: [...notices, ...more] },
  );
}

function subscribe(state: DeltaSecretStreamState, request: DeltaSecretRequest): DeltaSecretStreamState["subscribed"] {
  const subscribed = new Map(state.subscribed);
  for (const name of request.subscribe) {
    if (parseSecretName(name) === undefined) continue;
    // What the client says it holds is worth something on a stream's first request only.
    subscribed.set(name, state.identified ? undefined : request.initialVersions.get(name));
  }
  for (const name of request.unsubscribe) subscribed.delete(name);
  return subscribed;
}

type ToAnswer = { readonly removed: readonly string[]; readonly notices: readonly SecretStreamNotice[] };

function answerDue(state: DeltaSecretStreamState, { removed, notices }: ToAnswer): DeltaSecretStreamStep {
  const subscribed = new Map(state.subscribed);
  const resources: { name: SecretName; revision: string; resource: Any }[] = [];
  for (const [name, held] of state.subscribed) {
    const secret = state.snapshot?.secrets.get(name);
    if (secret === undefined || secret.revision === held) continue;
    subscribed.set(name, secret.revision);
    resources.push({ name, ...secret });
  }
  if (resources.length === 0 && removed.length === 0) return { state, notices };
  const sequence = state.sequence + 1;
  const sent = { nonce: `${state.streamId}.${sequence}`, versionInfo: state.snapshot?.version ?? "" };
  const unanswered = [...state.unanswered, sent].slice(-maxUnanswered);
  return {
    state: { ...state, subscribed, sequence, unanswered },
    response: { ...sent, names: resources.map(({ name }) => name), resources, removed },
    notices,
  };
}

/** What a request says of an earlier response, and which responses are still to be answered. */
function answerOf(
  state: DeltaSecretStreamState,
  request: DeltaSecretRequest,
): { readonly notices: readonly SecretStreamNotice[]; readonly unanswered: DeltaSecretStreamState["unanswered"] } {
  const { unanswered } = state;
  const answered = unanswered.find(({ nonce }) => nonce === request.responseNonce);
  const left = answered === undefined ? unanswered : unanswered.filter((response) => response !== answered);
  if (request.errorDetail !== undefined) {
    const notice = { kind: "rejected", versionInfo: answered?.versionInfo, reason: request.errorDetail } as const;
    return { notices: [notice], unanswered: left };
  }
  if (answered !== undefined) {
    return { notices: [{ kind: "acknowledged", versionInfo: answered.versionInfo }], unanswered: left };
  }
  if (request.responseNonce === "" || !state.identified) return { notices: [], unanswered: left };
  return { notices: [{ kind: "stale", responseNonce: request.responseNonce }], unanswered: left };
}

import type { Any } from "@bufbuild/protobuf/wkt";
import { parseSecretName, type SecretName } from "./secret-names.ts";

/** One secret as it goes on the wire; two secrets of equal revision are the same material. */
export type SdsSecret = { readonly revision: string; readonly resource: Any };

/** All secrets there are at one moment; a name without material is absent. */
export type SecretSnapshot = { readonly version: string; readonly secrets: ReadonlyMap<SecretName, SdsSecret> };

/** What a DiscoveryRequest says, free of protobuf. */
export type SecretRequest = {
  readonly nodeId: string;
  readonly typeUrl: string;
  readonly resourceNames: readonly string[];
  readonly responseNonce: string;
  readonly versionInfo: string;
  /** Set when the client rejects a response: its reason. */
  readonly errorDetail?: string;
};

/** What a DiscoveryResponse will say; there is at least one resource. */
export type SecretResponse = {
  readonly versionInfo: string;
  readonly nonce: string;
  readonly names: readonly SecretName[];
  readonly resources: readonly Any[];
};

/** Something that the log or a counter wants to know of. */
export type SecretStreamNotice =
  | { readonly kind: "acknowledged"; readonly versionInfo: string }
  | { readonly kind: "rejected"; readonly versionInfo: string | undefined; readonly reason: string }
  | { readonly kind: "stale"; readonly responseNonce: string }
  | { readonly kind: "unknown-names"; readonly names: readonly string[] }
  | { readonly kind: "foreign-type"; readonly typeUrl: string };

/** Everything one stream remembers. */
export type SecretStreamState = {
  readonly streamId: string;
  readonly identified: boolean;
  readonly snapshot: SecretSnapshot | undefined;
  /** Known names only, in the order they were asked for. */
  readonly subscribed: readonly SecretName[];
  /** The revision last sent for each subscribed name. */
  readonly sent: ReadonlyMap<SecretName, string>;
  readonly lastResponse: { readonly nonce: string; readonly versionInfo: string } | undefined;
  readonly sequence: number;
};

export type SecretStreamEvent =
  | { readonly kind: "request"; readonly request: SecretRequest }
  | { readonly kind: "secrets"; readonly snapshot: SecretSnapshot };

/** What one event led to; `refusal` ends the stream with INVALID_ARGUMENT. */
export type SecretStreamStep = {
  readonly state: SecretStreamState;
  readonly response?: SecretResponse;
  readonly refusal?: string;
  readonly notices: readonly SecretStreamNotice[];
};

/** The type of every resource here. */
export const secretTypeUrl = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";

/** A stream that has heard nothing yet; `streamId` must be unique, since it begins every nonce. */
export function openSecretStream(streamId: string): SecretStreamState {
  return {
    streamId,
    identified: false,
    snapshot: undefined,
    subscribed: [],
    sent: new Map(),
    lastResponse: undefined,
    sequence: 0,
  };
}

/**
 * What a state-of-the-world SDS stream answers to one event. Pure.
 *
 * A name gets a response once it is asked for and has material, and again whenever its material changes, never in
 * between: an ACK, a NACK or a stale request by itself is not answered. A response carries only the names that are due
 * and is never empty, for Envoy takes an empty one as "there is no such secret" and goes on without it.
 */
export function advanceSecretStream(state: SecretStreamState, event: SecretStreamEvent): SecretStreamStep {
  if (event.kind === "secrets") return answerDue({ ...state, snapshot: event.snapshot }, []);
  const { request } = event;
  if (request.typeUrl !== "" && request.typeUrl !== secretTypeUrl) {
    // Istio's agent sends its health on such streams before anything else; it is not for us and must not end them.
    return { state, notices: [{ kind: "foreign-type", typeUrl: request.typeUrl }] };
  }
  if (!state.identified && request.nodeId === "") {
    return { state, refusal: "missing node information", notices: [] };
  }
  return answerDue(subscribe(state, request), noticesOf(state, request));
}

/**
 * Takes over the subscription of a request. The names of a request with a stale nonce count as well: requests arrive
 * in order, so the newest one always says what the client wants by now. Were such a change ignored, a name dropped and
 * asked for again while a response was under way would never be sent again.
 */
function subscribe(state: SecretStreamState, request: SecretRequest): SecretStreamState {
  const subscribed = knownNames(request.resourceNames);
  const sent = asksAfresh(state, request) ? [] : [...state.sent].filter(([name]) => subscribed.has(name));
  return { ...state, identified: true, subscribed: [...subscribed], sent: new Map(sent) };
}

/**
 * Whether the client wants everything again: with a plain request without nonce, as clients send that poll. One that names
 * the version just sent is an ACK of a client that leaves out the nonce; to answer it would go round in circles. The first
 * request of a stream needs no rule: nothing has been sent yet, whatever version it brings from an older stream or process.
 */
function asksAfresh(state: SecretStreamState, request: SecretRequest): boolean {
  if (request.responseNonce !== "" || request.errorDetail !== undefined) return false;
  return request.versionInfo !== state.lastResponse?.versionInfo;
}

function knownNames(names: readonly string[]): ReadonlySet<SecretName> {
  const known = new Set<SecretName>();
  for (const name of names) if (parseSecretName(name) !== undefined) known.add(name);
  return known;
}

function answerDue(state: SecretStreamState, notices: readonly SecretStreamNotice[]): SecretStreamStep {
  const { snapshot } = state;
  if (snapshot === undefined) return { state, notices };
  const sent = new Map(state.sent);
  const names: SecretName[] = [];
  const resources: Any[] = [];
  for (const name of state.subscribed) {
    const secret = snapshot.secrets.get(name);
    if (secret === undefined || sent.get(name) === secret.revision) continue;
    sent.set(name, secret.revision);
    names.push(name);
    resources.push(secret.resource);
  }
  if (names.length === 0) return { state, notices };
  const sequence = state.sequence + 1;
  const lastResponse = { nonce: `${state.streamId}.${sequence}`, versionInfo: snapshot.version };
  return {
    state: { ...state, sent, sequence, lastResponse },
    response: { ...lastResponse, names, resources },
    notices,
  };
}

function noticesOf(state: SecretStreamState, request: SecretRequest): readonly SecretStreamNotice[] {
  const notices: SecretStreamNotice[] = [];
  const { lastResponse } = state;
  const current = lastResponse !== undefined && request.responseNonce === lastResponse.nonce;
  if (request.errorDetail !== undefined) {
    const versionInfo = current ? lastResponse.versionInfo : undefined;
    notices.push({ kind: "rejected", versionInfo, reason: request.errorDetail });
  } else if (current) {
    notices.push({ kind: "acknowledged", versionInfo: lastResponse.versionInfo });
  } else if (request.responseNonce !== "" && state.identified) {
    notices.push({ kind: "stale", responseNonce: request.responseNonce });
  }
  const unknown = request.resourceNames.filter((name) => parseSecretName(name) === undefined);
  if (unknown.length > 0) notices.push({ kind: "unknown-names", names: unknown });
  return notices;
}

import { grpcMetadata } from "./metadata.ts";
import { metadataInitOf, OutgoingCallError, Status, StatusError } from "./status.ts";

/** What is sent to the client at the end of a call, as grpc-js takes it. */
export type WireStatus = {
  readonly code: Status;
  readonly details: string;
  readonly metadata: ReturnType<typeof grpcMetadata> | null;
};

/** How a handler's failure ends its call: what the client is told, and what it is not told and others should be. */
export type CallFailure = { readonly status: WireStatus; readonly hidden?: unknown };

const opaque: WireStatus = { code: Status.INTERNAL, details: "internal error", metadata: null };

/**
 * How `error`, thrown by a handler whose signal is `signal`, ends the call.
 *
 * A StatusError is meant for the client, and so is the reason of the signal. All else is hidden, and so are a StatusError that
 * another server sent us, one that says OK, and one whose metadata cannot be sent.
 */
export function failureOf(error: unknown, signal: AbortSignal): CallFailure {
  if (signal.aborted && (error === signal.reason || isAbortError(error))) return { status: wireStatus(signal.reason) };
  const meant = error instanceof StatusError && !(error instanceof OutgoingCallError) && error.code !== Status.OK;
  if (!meant) return { status: opaque, hidden: error };
  try {
    return { status: wireStatus(error) };
  } catch (cause) {
    return { status: opaque, hidden: cause };
  }
}

/** `error` as it is sent. */
export function wireStatus(error: StatusError): WireStatus {
  return { code: error.code, details: printable(error.message), metadata: grpcMetadata(metadataInitOf(error)) };
}

function isAbortError(error: unknown): boolean {
  return error instanceof Error && error.name === "AbortError";
}

/** grpc-js percent-encodes the sentence and throws on a lone surrogate; a header must also stay small. */
function printable(message: string): string {
  return message.slice(0, 1_024).toWellFormed();
}

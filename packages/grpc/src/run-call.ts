import type { ServerHttp2Stream } from "node:http2";
import type { Message } from "@bufbuild/protobuf";
import type { Metadata, ServerInterceptingCallInterface } from "@grpc/grpc-js";
import type { BoundMethod } from "./bind-service.ts";
import type { CallContext, Peer } from "./call-context.ts";
import { createInbox, type Inbox } from "./inbox.ts";
import { grpcMetadata, readableMetadata } from "./metadata.ts";
import type { Peers } from "./peer.ts";
import { metadataInitOf, parseStatus, ReceivedStatusError, Status, StatusError } from "./status.ts";

/** What an RPC came to; reported once for each. */
export type CallEvent = {
  readonly service: string;
  readonly method: string;
  readonly code: Status;
  readonly durationMs: number;
  readonly peer: Peer;
};

/** A failure that the client was told nothing about. */
export type CallErrorEvent = { readonly service: string; readonly method: string; readonly error: unknown };

/** What the calls of one listener share. */
export interface CallHost {
  readonly peers: Peers;
  /** Every call that has begun and is not over. */
  readonly running: Set<RunningCall>;
  readonly onCall: (event: CallEvent) => void;
  readonly onError: (event: CallErrorEvent) => void;
}

/** A call, as draining sees it. */
export interface RunningCall {
  readonly kind: BoundMethod["kind"];
  /** Aborts the handler's signal; what it answers then is still sent. */
  abort(reason: StatusError): void;
  /** Aborts the handler's signal and ends the call with `reason`. */
  cut(reason: StatusError): void;
}

type Call = {
  readonly method: BoundMethod;
  readonly wire: ServerInterceptingCallInterface;
  readonly stream: ServerHttp2Stream;
  readonly host: CallHost;
  readonly requests: Inbox<Message>;
  readonly controller: AbortController;
  /** Why nothing can be sent any more, once that is so. */
  endedBy: StatusError | undefined;
  /** Fails the send that is under way. */
  failSend: ((reason: StatusError) => void) | undefined;
};

/**
 * Runs one call: feeds the handler, sends what it answers, and reports the end once.
 *
 * It stands where a grpc-js interceptor stands and drives the call itself. The handler layer of grpc-js above it would read
 * sixteen messages ahead of the handler and tell nobody how a call ended.
 */
export function runCall(method: BoundMethod, wire: ServerInterceptingCallInterface, host: CallHost): void {
  const stream = http2StreamOf(wire);
  const startedAt = performance.now();
  const peer = stream.session === undefined ? unknownPeer : host.peers.of(stream.session as never);
  const call: Call = {
    method,
    wire,
    stream,
    host,
    requests: createInbox<Message>(() => wire.startRead()),
    controller: new AbortController(),
    endedBy: undefined,
    failSend: undefined,
  };
  const running: RunningCall = {
    kind: method.kind,
    abort: (reason) => abort(call, reason),
    cut(reason) {
      abort(call, reason);
      wire.sendStatus({ code: reason.code, details: reason.message, metadata: null });
    },
  };

  const deadline = abortAtDeadline(call);

  function close(): void {
    if (call.endedBy !== undefined) return;
    host.running.delete(running);
    clearTimeout(deadline);
    const reason = endReason(call);
    call.endedBy = reason;
    abort(call, reason);
    call.failSend?.(reason);
    const code = sentStatus(stream) ?? reason.code;
    host.onCall({
      service: method.service,
      method: method.method,
      code,
      durationMs: performance.now() - startedAt,
      peer,
    });
  }

  host.running.add(running);
  wire.start({
    onReceiveMetadata: (metadata) => begin(call, metadata, peer),
    onReceiveMessage: (bytes: Uint8Array) => receive(call, bytes),
    onReceiveHalfClose() {
      if (method.kind === "unary") call.requests.end();
      else setImmediate(endRequests, call);
    },
    onCancel: close,
  });
  if (stream.destroyed || stream.closed) close();
}

const unknownPeer: Peer = { address: "unknown", transport: "plaintext" };

/**
 * grpc-js tells of a passed deadline once its status went out, which for a stream whose client does not read is never. The
 * status is sent by grpc-js; this ends the handler.
 */
function abortAtDeadline(call: Call): NodeJS.Timeout | undefined {
  const deadline = Number(call.wire.getDeadline());
  if (call.method.kind === "unary" || !Number.isFinite(deadline)) return undefined;
  const reason = new StatusError(Status.DEADLINE_EXCEEDED, "the deadline has passed");
  return setTimeout(() => {
    abort(call, reason);
    call.failSend?.(reason);
  }, deadline - Date.now());
}

/** The stream under a call: the only place that tells how it really ended and which connection it came by. */
function http2StreamOf(wire: ServerInterceptingCallInterface): ServerHttp2Stream {
  const stream = (wire as unknown as { readonly stream?: ServerHttp2Stream }).stream;
  if (stream === undefined) throw new Error("this version of @grpc/grpc-js hides the HTTP/2 stream of a call");
  return stream;
}

function begin(call: Call, metadata: Metadata, peer: Peer): void {
  const context = { signal: call.controller.signal, metadata: readableMetadata(metadata), peer };
  const outcome = call.method.kind === "unary" ? answerUnary(call, context) : answerStream(call, context);
  outcome.then(
    () => call.wire.sendStatus({ code: Status.OK, details: "OK", metadata: null }),
    (error: unknown) => sendFailure(call, error),
  );
}

/**
 * Ends the requests of a stream, unless its client has cancelled. Node ends the readable side of an aborted stream as if the
 * client had finished, and a client in Node that cancels does finish a moment before: what comes with the same packet counts.
 */
function endRequests(call: Call): void {
  if (!call.stream.aborted) call.requests.end();
}

function receive(call: Call, bytes: Uint8Array): void {
  try {
    call.requests.push(call.method.parse(bytes));
  } catch (error) {
    call.requests.fail(error);
  }
}

async function answerUnary(call: Call, context: CallContext): Promise<void> {
  const { method, requests } = call;
  if (method.kind !== "unary") return;
  const first = await requests.next();
  // Cardinality violations are UNIMPLEMENTED by the status codes document of gRPC.
  if (first.done) throw new StatusError(Status.UNIMPLEMENTED, "a unary call carries one request and not none");
  if (!(await requests.next()).done) {
    throw new StatusError(Status.UNIMPLEMENTED, "a unary call carries one request and not several");
  }
  const response = await method.handler(first.value, context);
  call.wire.sendMessage(asBuffer(method.serialize(response)), () => {});
}

async function answerStream(call: Call, context: CallContext): Promise<void> {
  const { method } = call;
  if (method.kind !== "stream") return;
  for await (const response of method.handler(call.requests, context)) {
    await send(call, method.serialize(response));
  }
}

/** Resolves when HTTP/2 took the message, which it does as fast as the client reads; rejects when the call is over. */
function send(call: Call, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    // grpc-js calls back only if the message went out.
    if (call.endedBy !== undefined) reject(call.endedBy);
    call.failSend = reject;
    call.wire.sendMessage(asBuffer(bytes), resolve);
  });
}

function sendFailure(call: Call, error: unknown): void {
  const { service, method } = call.method;
  let status = statusFor(error, call.controller.signal);
  if (status === undefined) {
    call.host.onError({ service, method, error });
    status = new StatusError(Status.INTERNAL, "internal error");
  }
  try {
    call.wire.sendStatus({
      code: status.code,
      details: printable(status.message),
      metadata: grpcMetadata(metadataInitOf(status)),
    });
  } catch (cause) {
    call.host.onError({ service, method, error: cause });
    call.wire.sendStatus({ code: Status.INTERNAL, details: "internal error", metadata: null });
  }
}

/** What the client may see of `error`; undefined if nothing. */
function statusFor(error: unknown, signal: AbortSignal): StatusError | undefined {
  if (signal.aborted && (error === signal.reason || isAbortError(error))) return signal.reason;
  if (!(error instanceof StatusError) || error instanceof ReceivedStatusError) return undefined;
  return error.code === Status.OK ? undefined : error;
}

function isAbortError(error: unknown): boolean {
  return error instanceof Error && error.name === "AbortError";
}

/** grpc-js percent-encodes the sentence and throws on a lone surrogate; a header must also stay small. */
function printable(message: string): string {
  return message.toWellFormed().slice(0, 1024).toWellFormed();
}

function abort(call: Call, reason: StatusError): void {
  call.controller.abort(reason);
  call.requests.fail(reason);
}

function endReason(call: Call): StatusError {
  return Number(call.wire.getDeadline()) <= Date.now()
    ? new StatusError(Status.DEADLINE_EXCEEDED, "the deadline has passed")
    : new StatusError(Status.CANCELLED, "the call is over");
}

/** The status that went out, also when grpc-js itself sent it: an oversized request, a passed deadline. */
function sentStatus(stream: ServerHttp2Stream): Status | undefined {
  const sent = stream.sentTrailers?.["grpc-status"] ?? stream.sentHeaders?.["grpc-status"];
  return sent === undefined ? undefined : parseStatus(sent);
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

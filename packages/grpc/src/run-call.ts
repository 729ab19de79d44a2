import { constants, type ServerHttp2Stream } from "node:http2";
import type { Message } from "@bufbuild/protobuf";
import type { ServerInterceptingCallInterface } from "@grpc/grpc-js";
import type { BoundMethod } from "./bind-service.ts";
import type { CallContext, Peer } from "./call-context.ts";
import { failureOf, sentStatus, type WireStatus, wireStatus } from "./call-outcome.ts";
import { http2StreamUnder } from "./http2-under-grpc.ts";
import { createInbox, type Inbox } from "./inbox.ts";
import { requestMetadata } from "./metadata.ts";
import type { Peers } from "./peer.ts";
import type { RawHeadersByStream } from "./raw-headers.ts";
import type { RequestLimits } from "./request-limits.ts";
import { Status, StatusError } from "./status.ts";

/** What an RPC came to; reported once for each. */
export type CallEvent = {
  readonly service: string;
  readonly method: string;
  /** What the client was told; CANCELLED if it left before it could be told anything. */
  readonly code: Status;
  readonly durationMs: number;
  readonly peer: Peer;
};

/** A failure that the client was told nothing about. */
export type CallErrorEvent = { readonly service: string; readonly method: string; readonly error: unknown };

/** What the calls of one listener share. */
export interface CallHost {
  readonly peers: Peers;
  readonly headers: RawHeadersByStream;
  readonly requestLimits: RequestLimits;
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
  readonly peer: Peer;
  readonly startedAt: number;
  readonly requests: Inbox<Message>;
  readonly controller: AbortController;
  /** It is decided how the call ends. */
  answered: boolean;
  /** Nothing can be sent any more. */
  over: boolean;
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
  const call = openCall(method, wire, host);
  const running: RunningCall = {
    kind: method.kind,
    abort: (reason) => abort(call, reason),
    cut(reason) {
      abort(call, reason);
      finish(call, wireStatus(reason));
    },
  };
  const deadline = abortAtDeadline(call);
  const watch = host.requestLimits.watch(call.stream, running.cut);
  const close = (): void => {
    host.running.delete(running);
    clearTimeout(deadline);
    watch.close();
    closeCall(call);
  };
  host.running.add(running);
  if (method.kind === "unary") watch.startTimer();
  let received = false;
  wire.start({
    onReceiveMetadata: () => begin(call),
    onReceiveMessage(bytes: Uint8Array) {
      // The one request of a unary call is held on to until the client has said that it is the only one.
      if (method.kind === "stream") watch.taken();
      received = true;
      receive(call, bytes);
    },
    onReceiveHalfClose() {
      watch.close();
      if (method.kind === "unary" && received) call.requests.end();
      else setImmediate(endRequests, call);
    },
    onCancel: close,
  });
  // A stream that is gone already starts nothing and says nothing.
  if (call.stream.destroyed || call.stream.closed) close();
}

function openCall(method: BoundMethod, wire: ServerInterceptingCallInterface, host: CallHost): Call {
  const stream = http2StreamUnder(wire);
  return {
    method,
    wire,
    stream,
    host,
    peer: host.peers.of(stream),
    startedAt: performance.now(),
    requests: createInbox<Message>(() => wire.startRead()),
    controller: new AbortController(),
    answered: false,
    over: false,
    failSend: undefined,
  };
}

function closeCall(call: Call): void {
  if (call.over) return;
  call.over = true;
  const { method, peer, stream } = call;
  const sent = sentStatus(stream);
  const code = sent ?? (Number(call.wire.getDeadline()) <= Date.now() ? Status.DEADLINE_EXCEEDED : Status.CANCELLED);
  // A call that ended in order needs no reason, and an Error costs more than the rest of the bookkeeping.
  if (call.answered && sent !== undefined) call.requests.end();
  else abort(call, new StatusError(code, "the call ended before it was answered"));
  if (!stream.closed && !stream.readableEnded) setTimeout(closeHalfOpen, halfOpenMs, stream).unref();
  const durationMs = performance.now() - call.startedAt;
  call.host.onCall({ service: method.service, method: method.method, code, durationMs, peer });
}

/** How long a client may keep its half of a stream open after it was told how the call ended. */
const halfOpenMs = 1_000;

/** RFC 9113 section 8.1: once the answer is complete, the server may ask the client to stop sending. */
function closeHalfOpen(stream: ServerHttp2Stream): void {
  if (!stream.closed) stream.close(constants.NGHTTP2_NO_ERROR);
}

/**
 * grpc-js tells of a passed deadline once its status went out, which for a stream whose client does not read is never. The
 * status is sent by grpc-js; this ends the handler.
 */
function abortAtDeadline(call: Call): NodeJS.Timeout | undefined {
  const deadline = Number(call.wire.getDeadline());
  if (call.method.kind === "unary" || !Number.isFinite(deadline)) return undefined;
  return setTimeout(() => {
    const reason = new StatusError(Status.DEADLINE_EXCEEDED, "the deadline has passed");
    call.answered = true;
    abort(call, reason);
    call.failSend?.(reason);
  }, deadline - Date.now());
}

function abort(call: Call, reason: StatusError): void {
  call.controller.abort(reason);
  call.requests.fail(reason);
  if (call.over) call.failSend?.(reason);
}

function begin(call: Call): void {
  const metadata = requestMetadata(call.host.headers.of(call.stream));
  const context = { signal: call.controller.signal, metadata, peer: call.peer };
  const outcome = call.method.kind === "unary" ? answerUnary(call, context) : answerStream(call, context);
  outcome.then(
    () => finish(call, { code: Status.OK, details: "OK", metadata: null }),
    (error: unknown) => {
      const { status, ...failure } = failureOf(error, call.controller.signal);
      const { service, method } = call.method;
      if ("hidden" in failure) call.host.onError({ service, method, error: failure.hidden });
      finish(call, status);
    },
  );
}

/** Ends the call with `status`, unless it has one: a second one would make grpc-js forget the first. */
function finish(call: Call, status: WireStatus): void {
  if (call.answered) return;
  call.answered = true;
  call.wire.sendStatus(status);
}

function receive(call: Call, bytes: Uint8Array): void {
  try {
    call.requests.push(call.method.parse(bytes));
  } catch (error) {
    call.requests.fail(error);
  }
}

/**
 * Ends the requests of a stream, unless its client has cancelled. Node ends the readable side of an aborted stream as if the
 * client had finished, and a client in Node that cancels does finish a moment before: what comes with the same packet counts.
 */
function endRequests(call: Call): void {
  if (!call.stream.aborted) call.requests.end();
}

async function answerUnary({ method, requests, wire }: Call, context: CallContext): Promise<void> {
  if (method.kind !== "unary") return;
  const first = await requests.next();
  // Cardinality violations are UNIMPLEMENTED by the status codes document of gRPC.
  if (first.done) throw new StatusError(Status.UNIMPLEMENTED, "a unary call carries one request and not none");
  if (!(await requests.next()).done) {
    throw new StatusError(Status.UNIMPLEMENTED, "a unary call carries one request and not several");
  }
  const response = await method.handler(first.value, context);
  wire.sendMessage(asBuffer(method.serialize(response)), () => {});
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
    // A message after the status would destroy the stream, and grpc-js calls back only if the message went out.
    if (call.answered || call.over) return reject(call.controller.signal.reason);
    call.failSend = reject;
    call.wire.sendMessage(asBuffer(bytes), resolve);
  });
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

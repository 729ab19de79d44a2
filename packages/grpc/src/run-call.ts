import { constants, type ServerHttp2Stream } from "node:http2";
import type { ServerInterceptingCallInterface } from "@grpc/grpc-js";
import { answerCall } from "./answer-call.ts";
import type { BoundMethod } from "./bind-service.ts";
import { failureOf, sentStatus, type WireStatus, wireStatus } from "./call-outcome.ts";
import { type CallHost, calledMethod, openCall, type RunningCall, type ServerCall } from "./server-call.ts";
import { Status, StatusError } from "./status.ts";

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
  const deadline = method.kind === "unary" ? cutInTime(running, host.unaryDeadlineMs) : abortAtDeadline(call);
  const watch = host.requestLimits.watch(call.stream, call.headers, running.cut);
  const close = (): void => {
    host.running.delete(running);
    clearTimeout(deadline);
    watch.close();
    closeCall(call);
  };
  host.running.add(running);
  host.onStart({ ...calledMethod(method), peer: call.peer });
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

function closeCall(call: ServerCall): void {
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
  call.host.onCall({ ...calledMethod(method), code, durationMs, peer });
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
function abortAtDeadline(call: ServerCall): NodeJS.Timeout | undefined {
  const deadline = Number(call.wire.getDeadline());
  if (!Number.isFinite(deadline)) return undefined;
  return setTimeout(() => {
    const reason = new StatusError(Status.DEADLINE_EXCEEDED, "the deadline has passed");
    call.answered = true;
    abort(call, reason);
    call.failSend?.(reason);
  }, deadline - Date.now());
}

/** A client may set no deadline, or one that is longer than anybody should wait: a unary call is over by ours. */
function cutInTime(running: RunningCall, deadlineMs: number): NodeJS.Timeout | undefined {
  if (!Number.isFinite(deadlineMs)) return undefined;
  const late = (): void =>
    running.cut(new StatusError(Status.DEADLINE_EXCEEDED, "the call took longer than the server allows"));
  return setTimeout(late, deadlineMs);
}

function abort(call: ServerCall, reason: StatusError): void {
  call.controller.abort(reason);
  call.requests.fail(reason);
  if (call.over) call.failSend?.(reason);
}

function begin(call: ServerCall): void {
  answerCall(call).then(
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
function finish(call: ServerCall, status: WireStatus): void {
  if (call.answered) return;
  call.answered = true;
  call.host.pingLimit.forgive(call.stream);
  call.wire.sendStatus(status);
}

function receive(call: ServerCall, bytes: Uint8Array): void {
  try {
    call.requests.push(call.method.parse(bytes));
    call.host.onMessage({ ...calledMethod(call.method), direction: "received" });
  } catch (error) {
    call.requests.fail(error);
  }
}

/**
 * Ends the requests of a stream, unless its client has cancelled. Node ends the readable side of an aborted stream as if the
 * client had finished, and a client in Node that cancels does finish a moment before: what comes with the same packet counts.
 */
function endRequests(call: ServerCall): void {
  if (!call.stream.aborted) call.requests.end();
}

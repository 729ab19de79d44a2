import type { ServerHttp2Stream } from "node:http2";
import type { Message } from "@bufbuild/protobuf";
import type { ServerInterceptingCallInterface } from "@grpc/grpc-js";
import type { BoundMethod } from "./bind-service.ts";
import type { Peer } from "./call-context.ts";
import type { CalledMethod, CallObserver } from "./call-observer.ts";
import { http2StreamUnder } from "./http2-under-grpc.ts";
import { createInbox, type Inbox } from "./inbox.ts";
import type { Peers } from "./peer.ts";
import type { PingLimit } from "./ping-limit.ts";
import type { RawHeaders, RawHeadersByStream } from "./raw-headers.ts";
import type { RequestLimits } from "./request-limits.ts";
import type { StatusError } from "./status.ts";

/** What the calls of one listener share. */
export interface CallHost extends CallObserver {
  readonly peers: Peers;
  readonly headers: RawHeadersByStream;
  readonly requestLimits: RequestLimits;
  readonly pingLimit: PingLimit;
  /** How long a unary call may take altogether; Infinity for no limit. */
  readonly unaryDeadlineMs: number;
  /** Every call that has begun and is not over. */
  readonly running: Set<RunningCall>;
}

/** A call, as draining sees it. */
export interface RunningCall {
  readonly kind: BoundMethod["kind"];
  /** Aborts the handler's signal; what it answers then is still sent. */
  abort(reason: StatusError): void;
  /** Aborts the handler's signal and ends the call with `reason`. */
  cut(reason: StatusError): void;
}

/** One RPC that is served. */
export type ServerCall = {
  readonly method: BoundMethod;
  readonly wire: ServerInterceptingCallInterface;
  readonly stream: ServerHttp2Stream;
  readonly headers: RawHeaders;
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

/** A call that has begun and was not answered. */
export function openCall(method: BoundMethod, wire: ServerInterceptingCallInterface, host: CallHost): ServerCall {
  const stream = http2StreamUnder(wire);
  return {
    method,
    wire,
    stream,
    headers: host.headers.of(stream),
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

/** What events say of a method. */
export function calledMethod({ service, method, type }: BoundMethod): CalledMethod {
  return { service, method, type };
}

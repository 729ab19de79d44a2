import type { Message } from "@bufbuild/protobuf";
import type { BoundMethod } from "./bind-service.ts";
import type { CallContext, Peer } from "./call-context.ts";
import type { CallObserver } from "./call-observer.ts";
import { failureOf, type WireStatus, wireStatus } from "./call-outcome.ts";
import type { DueList } from "./due-list.ts";
import { closeHalfOpenSoon } from "./half-open.ts";
import { requestMetadata } from "./metadata.ts";
import type { Peers } from "./peer.ts";
import type { PingLimit } from "./ping-limit.ts";
import type { RawHeaders } from "./raw-headers.ts";
import type { RequestLimits, RequestWatch } from "./request-limits.ts";
import type { StartQueue } from "./start-queue.ts";
import { Status, StatusError } from "./status.ts";
import type { CompleteCall } from "./unary-call.ts";
import type { WireCall } from "./wire-call.ts";

/** What the calls of one listener share. */
export interface CallHost extends CallObserver {
  readonly peers: Peers;
  readonly requestLimits: RequestLimits;
  readonly pingLimit: PingLimit;
  /** The unary calls, which are over when they fall due. */
  readonly unaryCalls: DueList<ServerCall>;
  /** Streams that have their status, which their clients should have read when they fall due. */
  readonly farewells: DueList<ServerCall>;
  /** Unary calls on their way to their handlers. */
  readonly complete: StartQueue<CompleteCall>;
  /** Every call that has begun and is not over. */
  readonly running: Set<ServerCall>;
}

/** Who in a call is told that it ends out of order. */
export interface CallEnd {
  /** Nothing more of the client is to be believed. */
  aborted(reason: StatusError): void;
  /** Nothing more can be sent. */
  unsendable(reason: StatusError): void;
  /** The call ended in order. */
  finished(): void;
}

/** One RPC that is served. */
export class ServerCall {
  readonly method: BoundMethod;
  readonly wire: WireCall;
  readonly host: CallHost;
  readonly watch: RequestWatch;
  readonly context: CallContext;
  /** Set by calls that wait for messages or for the client to read. */
  end: CallEnd | undefined;
  readonly #headers: RawHeaders;
  readonly #controller = new AbortController();
  readonly #startedAt = performance.now();
  readonly #peer: Peer;
  #deadline: NodeJS.Timeout | undefined;
  /** It is decided how the call ends. */
  #answered = false;
  /** Nothing can be sent any more. */
  #over = false;

  constructor(method: BoundMethod, { wire, headers }: OpenedWire, host: CallHost) {
    this.method = method;
    this.wire = wire;
    this.host = host;
    this.#headers = headers;
    this.#peer = host.peers.of(wire.stream);
    this.context = { signal: this.#controller.signal, metadata: requestMetadata(headers), peer: this.#peer };
    const timed = method.kind === "unary";
    this.watch = host.requestLimits.watch({
      stream: wire.stream,
      headers,
      timed,
      refuse: (reason) => this.cut(reason),
    });
    this.#register();
  }

  /** Whether it is decided how the call ends; then nothing is sent any more but that. */
  get ended(): boolean {
    return this.#answered || this.#over;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Refuses a call whose headers are too large or say no deadline that can be read. */
  checkHeaders(): void {
    this.host.requestLimits.checkHeaders(this.#headers);
    if (!Number.isNaN(this.wire.deadlineAt)) return;
    throw new StatusError(Status.INTERNAL, "the header grpc-timeout is malformed");
  }

  /** Aborts the handler's signal; what it answers then is still sent. */
  abort(reason: StatusError): void {
    this.#controller.abort(reason);
    this.end?.aborted(reason);
    if (this.#over) this.end?.unsendable(reason);
  }

  /** Aborts the handler's signal and ends the call with `reason`. */
  cut(reason: StatusError): void {
    this.abort(reason);
    this.finish(wireStatus(reason));
  }

  /** The call is over now: with `reason`, or by a reset if it has a status that its client does not read. */
  overdue(reason: StatusError): void {
    if (this.#answered) this.wire.reset();
    else this.cut(reason);
  }

  /** Ends the call as `error`, which its handler threw, says. */
  fail(error: unknown): void {
    const { status, ...failure } = failureOf(error, this.signal);
    const { service, method } = this.method;
    if ("hidden" in failure) this.host.onError({ service, method, error: failure.hidden });
    this.finish(status);
  }

  /** Ends the call with `status`, unless it has one, and with `lastMessage` before it. */
  finish(status: WireStatus, lastMessage?: Uint8Array): void {
    if (this.#answered) return;
    this.#answered = true;
    this.host.pingLimit.forgive(this.wire.stream);
    if (this.method.kind === "stream") this.host.farewells.add(this);
    if (lastMessage === undefined) this.wire.sendStatus(status);
    else this.wire.sendLast(lastMessage, status);
  }

  /** The message in `bytes`, and whoever counts messages is told. */
  parse(bytes: Uint8Array): Message {
    const message = this.method.parse(bytes);
    this.host.onMessage(this.method.received);
    return message;
  }

  /** The client was told how the call ended, or is gone. */
  close(): void {
    if (this.#over) return;
    this.#over = true;
    this.host.running.delete(this);
    if (this.method.kind === "unary") this.host.unaryCalls.delete(this);
    else this.host.farewells.delete(this);
    clearTimeout(this.#deadline);
    this.watch.close();
    const { stream, told, deadlineAt } = this.wire;
    const code = told ?? (deadlineAt <= Date.now() ? Status.DEADLINE_EXCEEDED : Status.CANCELLED);
    // A call that ended in order needs no reason, and an Error costs more than the rest of the bookkeeping.
    if (this.#answered && told !== undefined) this.end?.finished();
    else this.abort(new StatusError(code, "the call ended before it was answered"));
    closeHalfOpenSoon(stream);
    const durationMs = performance.now() - this.#startedAt;
    this.host.onCall({ ...this.method.called, code, durationMs, peer: this.#peer });
  }

  #register(): void {
    this.host.running.add(this);
    // A client may set no deadline, or one that is longer than anybody should wait: a unary call is over by ours.
    if (this.method.kind === "unary") this.host.unaryCalls.add(this);
    const leftMs = this.wire.deadlineAt - Date.now();
    if (leftMs <= longestTimerMs) this.#deadline = setTimeout(() => this.#expire(), Math.max(0, leftMs));
    this.host.onStart({ ...this.method.called, peer: this.#peer });
  }

  /** To a client that does not read its status never gets, so what waits for that is ended here. */
  #expire(): void {
    const reason = new StatusError(Status.DEADLINE_EXCEEDED, "the deadline has passed");
    this.cut(reason);
    this.end?.unsendable(reason);
  }
}

/** How a call came. */
export type OpenedWire = { readonly wire: WireCall; readonly headers: RawHeaders };

// setTimeout takes a signed 32-bit number; anything above fires at once.
const longestTimerMs = 2 ** 31 - 1;

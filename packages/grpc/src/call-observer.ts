import type { Peer } from "./call-context.ts";
import type { Status } from "./status.ts";

/** The kinds of methods, as Prometheus metrics of gRPC name them in their label `grpc_type`. */
export type CallType = "unary" | "client_stream" | "server_stream" | "bidi_stream";

/** Which method an event is about. */
export type CalledMethod = {
  /** Full name of the service, such as `istio.v1.auth.IstioCertificateService`. */
  readonly service: string;
  readonly method: string;
  readonly type: CallType;
};

/** An RPC has begun; a CallEvent follows when it is over. */
export type CallStartEvent = CalledMethod & { readonly peer: Peer };

/** A message was read from the client, or a response is on its way to it. */
export type CallMessageEvent = CalledMethod & { readonly direction: "received" | "sent" };

/** What an RPC came to; reported once for each. */
export type CallEvent = CalledMethod & {
  /** What the client was told; CANCELLED if it left before it could be told anything. */
  readonly code: Status;
  readonly durationMs: number;
  readonly peer: Peer;
};

/** A failure that the client was told nothing about. */
export type CallErrorEvent = { readonly service: string; readonly method: string; readonly error: unknown };

/** Whoever is told of the RPCs of a listener. */
export interface CallObserver {
  readonly onStart: (event: CallStartEvent) => void;
  readonly onMessage: (event: CallMessageEvent) => void;
  readonly onCall: (event: CallEvent) => void;
  readonly onError: (event: CallErrorEvent) => void;
}

/** An observer that throws must not end the process, which it would from inside an event of HTTP/2. */
export function guardedObserver(observer: Partial<CallObserver>): CallObserver {
  const onError = (event: CallErrorEvent): void => {
    try {
      observer.onError?.(event);
    } catch {
      // Whoever is told of errors has failed to take one; there is nobody left to tell.
    }
  };
  function guarded<E extends CalledMethod>(report: ((event: E) => void) | undefined): (event: E) => void {
    if (report === undefined) return () => {};
    return (event) => {
      try {
        report(event);
      } catch (error) {
        onError({ service: event.service, method: event.method, error });
      }
    };
  }
  return {
    onStart: guarded(observer.onStart),
    onMessage: guarded(observer.onMessage),
    onCall: guarded(observer.onCall),
    onError,
  };
}

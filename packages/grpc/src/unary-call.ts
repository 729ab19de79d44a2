import type { DescMessage, Message, MessageInitShape } from "@bufbuild/protobuf";
import type { UnaryHandler } from "./call-context.ts";
import type { WireStatus } from "./call-outcome.ts";
import type { ServerCall } from "./server-call.ts";
import { Status, StatusError } from "./status.ts";

/** What a unary method has. */
type Handler = UnaryHandler<Message, MessageInitShape<DescMessage>>;

const ok: WireStatus = { code: Status.OK, details: "", metadata: null };

/** Has `handler` answer the one request of `call`, once the client has said that it is the only one. */
export function runUnaryCall(call: ServerCall, handler: Handler): void {
  let request: Message | undefined;
  const listener = {
    onBytes: (count: number) => call.watch.count(count),
    onMessage(bytes: Uint8Array) {
      try {
        if (request !== undefined) throw cardinality("several");
        request = call.parse(bytes);
      } catch (error) {
        call.fail(error);
      }
    },
    onHalfClose() {
      call.watch.close();
      if (request === undefined) setImmediate(failUnlessAborted, call, cardinality("none"));
      else if (call.wire.inMessage) setImmediate(failUnlessAborted, call, cutShort());
      else call.host.complete.add({ call, handler, request });
    },
    onBroken: (reason: StatusError) => call.cut(reason),
    onOver: () => call.close(),
  };
  // The request and its end.
  call.wire.start(listener, 2);
  try {
    call.checkHeaders();
  } catch (error) {
    call.fail(error);
  }
}

/** A call whose request is complete. */
export type CompleteCall = { readonly call: ServerCall; readonly handler: Handler; readonly request: Message };

/** Has the handler answer, unless the call is over by now. Never throws. */
export function answerUnaryCall(complete: CompleteCall): void {
  if (!complete.call.ended) void answer(complete);
}

async function answer({ call, handler, request }: CompleteCall): Promise<void> {
  try {
    const response = call.method.serialize(await handler(request, call.context));
    if (call.ended) return;
    call.finish(ok, response);
    call.host.onMessage(call.method.sent);
  } catch (error) {
    call.fail(error);
  }
}

/**
 * Node ends the readable side of an aborted stream as if the client had finished, and a client in Node that cancels does
 * finish a moment before: what comes with the same packet counts.
 */
function failUnlessAborted(call: ServerCall, reason: StatusError): void {
  if (!call.wire.stream.aborted) call.fail(reason);
}

/** Cardinality violations are UNIMPLEMENTED by the status codes document of gRPC. */
function cardinality(count: string): StatusError {
  return new StatusError(Status.UNIMPLEMENTED, `a unary call carries one request and not ${count}`);
}

function cutShort(): StatusError {
  return new StatusError(Status.INTERNAL, "the client ended the call amid a message");
}

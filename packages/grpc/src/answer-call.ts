import type { CallContext } from "./call-context.ts";
import { requestMetadata } from "./metadata.ts";
import { calledMethod, type ServerCall } from "./server-call.ts";
import { Status, StatusError } from "./status.ts";

/** Has the handler answer `call` and sends what it answers; rejects with what it throws. */
export async function answerCall(call: ServerCall): Promise<void> {
  call.host.requestLimits.checkHeaders(call.headers);
  const context = { signal: call.controller.signal, metadata: requestMetadata(call.headers), peer: call.peer };
  return call.method.kind === "unary" ? answerUnary(call, context) : answerStream(call, context);
}

async function answerUnary(call: ServerCall, context: CallContext): Promise<void> {
  const { method, requests } = call;
  if (method.kind !== "unary") return;
  const first = await requests.next();
  // Cardinality violations are UNIMPLEMENTED by the status codes document of gRPC.
  if (first.done) throw new StatusError(Status.UNIMPLEMENTED, "a unary call carries one request and not none");
  if (!(await requests.next()).done) {
    throw new StatusError(Status.UNIMPLEMENTED, "a unary call carries one request and not several");
  }
  const response = await method.handler(first.value, context);
  const bytes = method.serialize(response);
  if (call.answered || call.over) return;
  call.wire.sendMessage(asBuffer(bytes), () => {});
  sent(call);
}

async function answerStream(call: ServerCall, context: CallContext): Promise<void> {
  const { method } = call;
  if (method.kind !== "stream") return;
  for await (const response of method.handler(call.requests, context)) {
    await send(call, method.serialize(response));
  }
}

/** Resolves when HTTP/2 took the message, which it does as fast as the client reads; rejects when the call is over. */
function send(call: ServerCall, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    // A message after the status would destroy the stream, and grpc-js calls back only if the message went out.
    if (call.answered || call.over) return reject(call.controller.signal.reason);
    call.failSend = reject;
    call.wire.sendMessage(asBuffer(bytes), resolve);
    sent(call);
  });
}

function sent(call: ServerCall): void {
  call.host.pingLimit.forgive(call.stream);
  call.host.onMessage({ ...calledMethod(call.method), direction: "sent" });
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

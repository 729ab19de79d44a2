import type { BoundMethod } from "./bind-service.ts";
import { type CallHost, type OpenedWire, ServerCall } from "./server-call.ts";
import { runStreamCall } from "./stream-call.ts";
import { runUnaryCall } from "./unary-call.ts";

/** Runs one call: feeds the handler, sends what it answers, and reports the end once. */
export function runCall(method: BoundMethod, opened: OpenedWire, host: CallHost): void {
  const call = new ServerCall(method, opened, host);
  if (method.kind === "unary") runUnaryCall(call, method.handler);
  else runStreamCall(call, method.handler);
  // A stream that is gone already starts nothing and says nothing.
  const { stream } = opened.wire;
  if (stream.destroyed || stream.closed) call.close();
}

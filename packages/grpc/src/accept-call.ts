import type { IncomingHttpHeaders, OutgoingHttpHeaders, ServerHttp2Stream } from "node:http2";
import type { BoundMethod } from "./bind-service.ts";
import { closeHalfOpenSoon } from "./half-open.ts";
import type { RawHeaders } from "./raw-headers.ts";
import { runCall } from "./run-call.ts";
import type { CallHost } from "./server-call.ts";
import { Status } from "./status.ts";
import { WireCall } from "./wire-call.ts";

/** A request as HTTP/2 brings it. */
export type IncomingCall = {
  readonly stream: ServerHttp2Stream;
  /** As Node puts them together: good enough for what HTTP allows once. */
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: RawHeaders;
};

/** What the calls of one listener are made of. */
export type CallTarget = {
  readonly methods: ReadonlyMap<string, BoundMethod>;
  readonly maxReceiveBytes: number;
  readonly host: CallHost;
};

/**
 * Runs a call of one of our methods, and refuses every other request: 405 for another verb than POST, 415 if it is not gRPC,
 * UNIMPLEMENTED if it is.
 */
export function acceptCall({ stream, headers, rawHeaders }: IncomingCall, target: CallTarget): void {
  // Every error comes with a close, which is what ends the call; nothing can be sent any more.
  stream.on("error", ignore);
  const method = target.methods.get(headers[":path"] ?? "");
  // Node ends the answer to a HEAD at its headers, so that no status could follow a message.
  if (headers[":method"] !== "POST") refuse(stream, { ":status": 405, allow: "POST" });
  else if (!isGrpc(headers["content-type"])) refuse(stream, { ":status": 415 });
  else if (method === undefined) refuse(stream, unimplemented);
  else
    runCall(method, { wire: new WireCall(stream, headers, target.maxReceiveBytes), headers: rawHeaders }, target.host);
}

const unimplemented: OutgoingHttpHeaders = {
  ":status": 200,
  "content-type": "application/grpc+proto",
  "grpc-status": String(Status.UNIMPLEMENTED),
  "grpc-message": encodeURI("the method is not implemented"),
};

const grpcType = "application/grpc";

/** `application/grpc`, alone or with a subtype or parameters; `application/grpc-web` is another protocol. */
function isGrpc(contentType: string | undefined): boolean {
  if (contentType?.startsWith(grpcType) !== true) return false;
  const next = contentType[grpcType.length];
  return next === undefined || next === "+" || next === ";";
}

function refuse(stream: ServerHttp2Stream, headers: OutgoingHttpHeaders): void {
  if (stream.destroyed || stream.closed) return;
  stream.respond(headers, { endStream: true });
  stream.resume();
  closeHalfOpenSoon(stream);
}

function ignore(): void {}

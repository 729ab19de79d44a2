import { type IncomingMessage, type ServerResponse, STATUS_CODES, validateHeaderValue } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import type { Duplex } from "node:stream";
import { admitNodeRequest } from "./admit-node-request.ts";
import type { Auth } from "./auth.ts";
import type { Gateway } from "./gateway.ts";
import { reportFailure } from "./gateway-events.ts";
import { changeNodeRequest, type NodeRequest } from "./node-request.ts";
import { addHeaders, type NodeResponse, writeRefusal } from "./node-response.ts";
import { type Refusal, refusalHeaders } from "./refusal.ts";

/** Answers a request that was let through. */
export type NodeHandler<Claims, Request = IncomingMessage, Response = ServerResponse> = (
  request: Request,
  response: Response,
  auth: Auth<Claims>,
) => void | Promise<void>;

/**
 * A listener for `http.createServer` and `https.createServer` that calls `handler` for requests that are
 * let through, and answers all others.
 *
 * The handler's request has the headers and the path that it is meant to see. What the handler throws is answered with 500, or
 * cuts an answer that has begun. Upgrades do not come here: see `upgradeListener`.
 * @example
 * ```ts
 * import { createServer } from "node:http";
 * import type { Gateway } from "@signet/gateway";
 * import { requestListener } from "@signet/gateway/node-http";
 * declare const gateway: Gateway<{ readonly tenant: string }>;
 * createServer(
 *   requestListener(gateway, (_request, response, auth) => {
 *     response.end(auth.kind === "authenticated" ? auth.claims.tenant : "who are you?");
 *   }),
 * ).listen(8080);
 * ```
 */
export function requestListener<Claims>(
  gateway: Gateway<Claims>,
  handler: NodeHandler<Claims, IncomingMessage, ServerResponse>,
): (request: IncomingMessage, response: ServerResponse) => void {
  return createListener(gateway, handler);
}

/**
 * As `requestListener`, for `http2.createServer` and `http2.createSecureServer`; with `allowHTTP1` too.
 * @example
 * ```ts
 * import { createServer } from "node:http2";
 * import type { Gateway } from "@signet/gateway";
 * import { http2RequestListener } from "@signet/gateway/node-http";
 * declare const gateway: Gateway;
 * createServer(
 *   http2RequestListener(gateway, (_request, response, auth) => {
 *     response.end(auth.principal ?? "who are you?");
 *   }),
 * );
 * ```
 */
export function http2RequestListener<Claims>(
  gateway: Gateway<Claims>,
  handler: NodeHandler<Claims, Http2ServerRequest, Http2ServerResponse>,
): (request: Http2ServerRequest, response: Http2ServerResponse) => void {
  return createListener(gateway, handler);
}

function createListener<Claims, Request extends NodeRequest, Response extends NodeResponse>(
  gateway: Gateway<Claims>,
  handler: NodeHandler<Claims, Request, Response>,
): (request: Request, response: Response) => void {
  async function answer(request: Request, response: Response): Promise<void> {
    const admission = await admitNodeRequest(gateway, { request, response });
    if (admission.kind === "gone") return;
    if (admission.kind === "refused") return writeRefusal(response, admission.refusal);
    changeNodeRequest(request, admission.seen, admission.upstream);
    addHeaders(response, admission.downstream);
    gateway.keep(request, admission.auth);
    await handler(request, response, admission.auth);
  }
  return (request, response) => {
    answer(request, response).catch((error: unknown) => {
      reportFailure(gateway.events, { what: "handler", error });
      answerFailure(response);
    });
  };
}

function answerFailure(response: NodeResponse): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  for (const name of response.getHeaderNames()) response.removeHeader(name);
  writeRefusal(response, { code: "handler-failed", status: 500, body: "Internal Server Error", headers: [] });
}

/** Takes an upgrade over that was let through. */
export type UpgradeHandler<Claims> = (
  request: IncomingMessage,
  connection: { readonly socket: Duplex; readonly head: Buffer; readonly auth: Auth<Claims> },
) => void | Promise<void>;

/**
 * A listener for the event `upgrade` of an HTTP server, such as a WebSocket's: requests that Node hands to no request listener
 * and to no framework, so that nothing else guards them.
 *
 * An upgrade that is refused gets the answer that a request would get, and its connection ends. What `handler` throws cuts it.
 * @example
 * ```ts
 * import { createServer } from "node:http";
 * import type { Gateway } from "@signet/gateway";
 * import { upgradeListener } from "@signet/gateway/node-http";
 * declare const gateway: Gateway;
 * createServer().on(
 *   "upgrade",
 *   upgradeListener(gateway, (_request, { socket, auth }) => {
 *     socket.end(`HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n${auth.principal}`);
 *   }),
 * );
 * ```
 */
export function upgradeListener<Claims>(
  gateway: Gateway<Claims>,
  handler: UpgradeHandler<Claims>,
): (request: IncomingMessage, socket: Duplex, head: Buffer) => void {
  async function takeOver(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const admission = await admitNodeRequest(gateway, { request, response: socket });
    if (admission.kind === "gone") return;
    if (admission.kind === "refused") {
      socket.end(rawRefusal(admission.refusal));
      return;
    }
    changeNodeRequest(request, admission.seen, admission.upstream);
    gateway.keep(request, admission.auth);
    await handler(request, { socket, head, auth: admission.auth });
  }
  return (request, socket, head) => {
    // Until the handler has it nobody else listens, and an error without a listener ends the process.
    socket.on("error", () => undefined);
    takeOver(request, socket, head).catch((error: unknown) => {
      reportFailure(gateway.events, { what: "handler", error });
      socket.destroy();
    });
  };
}

/** A refusal as it goes over the wire of HTTP/1.1. */
function rawRefusal(refusal: Refusal): string {
  const { status, body } = refusal;
  const headers = [...refusalHeaders(refusal), ["connection", "close"] as const].map(([name, value]) => {
    validateHeaderValue(name, value);
    return `${name}: ${value}\r\n`;
  });
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? "Refused"}\r\n${headers.join("")}\r\n${body}`;
}

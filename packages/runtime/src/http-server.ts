import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { errorMessage, RuntimeError } from "./errors.ts";
import { formatHostPort, type HostPort } from "./host-port.ts";
import type { Logger } from "./logger.ts";

/** What a route sees of a request. Bodies are read and thrown away. */
export type HttpRequest = {
  /** Upper case; "GET" and "HEAD" unless the route asks for others. */
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  /** The peer's IP address; one of IPv4 is written as IPv4 also on an IPv6 socket. */
  readonly remoteAddress: string;
  /** Aborts when the client goes away and when the server closes. */
  readonly signal: AbortSignal;
};

/** What a route answers; `contentType` is "text/plain; charset=utf-8" by default. */
export type HttpAnswer = {
  readonly status: number;
  readonly body: string;
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
};

/** Answers requests for one path. */
export type HttpRoute = (request: HttpRequest) => Promise<HttpAnswer>;

/** A route for other methods than GET and HEAD. */
export type HttpMethodRoute = { readonly methods: readonly string[]; readonly answer: HttpRoute };

/** A server that listens. */
export interface HttpServer {
  readonly address: HostPort;
  /** Stops listening, gives requests under way two seconds, then cuts every connection. */
  close(): Promise<void>;
}

const maxBodyBytes = 65_536;
const closeGraceMs = 2_000;

/**
 * A small HTTP/1.1 server for status and monitoring: exact paths, text answers, everything bounded.
 *
 * A route is a function for GET and HEAD, or names its methods; other paths answer 404, other methods 405. Limits: 5 seconds
 * for the headers, 30 for the request, 5 idle; 16 KiB of headers, 64 KiB of body (413), 256 connections. What a route throws is
 * logged and answered with 500 and a fixed body. Port 0 picks a free one; host "::" listens on IPv4 too, and on a machine
 * without IPv6 on IPv4 alone.
 * @throws RuntimeError `listen-failed`
 * @example
 * ```ts
 * import { createLogger, serveHttp } from "@signet/runtime";
 * const logger = createLogger({ name: "status", level: "info" });
 * const routes = { "/healthz/ready": async () => ({ status: 200, body: "" }) };
 * const server = await serveHttp({ host: "127.0.0.1", port: 0, routes, logger });
 * await server.close();
 * ```
 */
export async function serveHttp(options: {
  readonly host: string;
  readonly port: number;
  readonly routes: Readonly<Record<string, HttpRoute | HttpMethodRoute>>;
  readonly logger: Logger;
}): Promise<HttpServer> {
  const { logger } = options;
  const routes = compileRoutes(options.routes);
  const closing = new AbortController();
  const server = createServer(
    {
      headersTimeout: 5_000,
      requestTimeout: 30_000,
      keepAliveTimeout: 5_000,
      connectionsCheckingInterval: 1_000,
      maxHeaderSize: 16_384,
    },
    (request, response) => {
      serveRequest({ routes, logger, closing: closing.signal }, request, response).catch((error: unknown) => {
        // Only a bug of this file gets here; the connection goes, the server stays.
        logger.error("http request failed", { error });
        request.destroy();
      });
    },
  );
  server.maxConnections = 256;
  server.maxRequestsPerSocket = 1_000;
  const address = await listen(server, options);
  server.on("error", (error) => logger.error("http server failed", { error }));
  return { address, close: () => close(server, closing) };
}

type Serving = {
  readonly routes: ReadonlyMap<string, HttpMethodRoute>;
  readonly logger: Logger;
  readonly closing: AbortSignal;
};

function compileRoutes(
  routes: Readonly<Record<string, HttpRoute | HttpMethodRoute>>,
): ReadonlyMap<string, HttpMethodRoute> {
  const compiled = new Map<string, HttpMethodRoute>();
  for (const [path, route] of Object.entries(routes)) {
    const { methods, answer } = typeof route === "function" ? { methods: ["GET"], answer: route } : route;
    compiled.set(path, { methods: methods.includes("GET") ? [...methods, "HEAD"] : methods, answer });
  }
  return compiled;
}

async function serveRequest(serving: Serving, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  const signal = AbortSignal.any([gone.signal, serving.closing]);
  const answer = (await drainBody(request)) ? await answerOf(serving, request, signal) : tooLarge;
  if (response.destroyed) return;
  if (answer === tooLarge || serving.closing.aborted) response.setHeader("connection", "close");
  for (const [name, value] of Object.entries(answer.headers ?? {})) response.setHeader(name, value);
  response.setHeader("content-type", answer.contentType ?? "text/plain; charset=utf-8");
  response.setHeader("x-content-type-options", "nosniff");
  response.setHeader("content-length", Buffer.byteLength(answer.body));
  response.writeHead(answer.status);
  response.end(request.method === "HEAD" ? undefined : answer.body);
}

const badRequest: HttpAnswer = { status: 400, body: "bad request\n" };
const notFound: HttpAnswer = { status: 404, body: "not found\n" };
const tooLarge: HttpAnswer = { status: 413, body: "request body too large\n" };
const internalError: HttpAnswer = { status: 500, body: "internal error\n" };

/** Whether the body ended within the cap. */
async function drainBody(request: IncomingMessage): Promise<boolean> {
  if (Number(request.headers["content-length"] ?? 0) > maxBodyBytes) return false;
  let length = 0;
  try {
    for await (const chunk of request) {
      length += Buffer.byteLength(chunk);
      if (length > maxBodyBytes) return false;
    }
    return true;
  } catch {
    return false;
  }
}

async function answerOf(serving: Serving, request: IncomingMessage, signal: AbortSignal): Promise<HttpAnswer> {
  const method = request.method ?? "";
  const [path = "", search = ""] = splitTarget(request.url ?? "");
  if (!path.startsWith("/")) return badRequest;
  const route = serving.routes.get(path);
  if (route === undefined) return notFound;
  if (!route.methods.includes(method)) {
    return { status: 405, body: "method not allowed\n", headers: { allow: route.methods.join(", ") } };
  }
  const remoteAddress = (request.socket.remoteAddress ?? "").replace(/^::ffff:(?=\d+\.)/, "");
  try {
    return await route.answer({ method, path, query: new URLSearchParams(search), remoteAddress, signal });
  } catch (error) {
    if (!signal.aborted) serving.logger.error("http route failed", { path, error });
    return internalError;
  }
}

function splitTarget(target: string): readonly [string, string] {
  const mark = target.indexOf("?");
  return mark < 0 ? [target, ""] : [target.slice(0, mark), target.slice(mark + 1)];
}

async function listen(server: Server, where: HostPort): Promise<HostPort> {
  try {
    return await listenOn(server, where);
  } catch (error) {
    const noIpv6 = error instanceof Error && "code" in error && error.code === "EAFNOSUPPORT";
    if (where.host === "::" && noIpv6) return await listen(server, { host: "0.0.0.0", port: where.port });
    throw new RuntimeError("listen-failed", `cannot listen on ${formatHostPort(where)}: ${errorMessage(error)}`, {
      cause: error,
    });
  }
}

function listenOn(server: Server, where: HostPort): Promise<HostPort> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host: where.host, port: where.port }, () => {
      server.off("error", reject);
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : where.port;
      resolve({ host: where.host, port });
    });
  });
}

function close(server: Server, closing: AbortController): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => server.closeAllConnections(), closeGraceMs);
    server.close(() => {
      clearTimeout(cut);
      resolve();
    });
    closing.abort();
    server.closeIdleConnections();
  });
}

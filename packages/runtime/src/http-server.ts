import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type Clock, systemClock } from "./clock.ts";
import { withDeadline } from "./deadline.ts";
import { errorCode, errorMessage, RuntimeError } from "./errors.ts";
import { formatHostPort, type HostPort } from "./host-port.ts";
import { compileRoutes, type HttpAnswer, type HttpMethodRoute, type HttpRoute } from "./http-route.ts";
import type { Logger } from "./logger.ts";

/** A server that listens. */
export interface HttpServer {
  /** Where it listens, with the port that was picked if 0 was asked for. */
  readonly address: HostPort;
  /** Stops listening, gives requests under way two seconds to end, then cuts every connection. */
  close(): Promise<void>;
}

const maxBodyBytes = 65_536;
const routeDeadlineMs = 30_000;
const closeGraceMs = 2_000;

const limits = {
  headersTimeout: 5_000,
  requestTimeout: 30_000,
  keepAliveTimeout: 5_000,
  // How often Node looks for connections past the first two.
  connectionsCheckingInterval: 1_000,
  maxHeaderSize: 16_384,
} as const;
const maxConnections = 256;

/**
 * A small HTTP/1.1 server for status and monitoring: exact paths, short text answers, everything bounded.
 *
 * A route is a function for GET and HEAD, or names its methods; other paths answer 404, other methods 405. Limits: 5 seconds for
 * the headers, 30 for the whole request, 30 for the route (503), 5 idle; 16 KiB of headers, 64 KiB of body (413; bodies are read
 * and thrown away), 256 connections. What a route throws is logged and answered with 500 and a fixed body. Port 0 picks a free
 * one; host "::" listens on IPv4 too, and on a machine without IPv6 on IPv4 alone.
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
  /** For the deadline of routes and the grace of close; the system clock by default. */
  readonly clock?: Clock;
}): Promise<HttpServer> {
  const { logger, clock = systemClock } = options;
  const serving: Serving = { routes: compileRoutes(options.routes), logger, clock, closing: false };
  const server = createServer(limits, (request, response) => {
    serveRequest(serving, request, response).catch((error: unknown) => {
      // An answer that cannot be sent, such as one with a broken header: the connection goes, the server stays.
      logger.error("http answer failed", { error });
      request.socket.destroy();
    });
  });
  server.maxConnections = maxConnections;
  const address = await listen(server, options);
  server.on("error", (error) => logger.error("http server failed", { error }));

  let closed: Promise<void> | undefined;
  return {
    address,
    close() {
      serving.closing = true;
      closed ??= closeServer(server, clock);
      return closed;
    },
  };
}

type Serving = {
  readonly routes: ReadonlyMap<string, HttpMethodRoute>;
  readonly logger: Logger;
  readonly clock: Clock;
  closing: boolean;
};

const badRequest: HttpAnswer = { status: 400, body: "bad request\n" };
const notFound: HttpAnswer = { status: 404, body: "not found\n" };
const tooLarge: HttpAnswer = { status: 413, body: "request body too large\n" };
const internalError: HttpAnswer = { status: 500, body: "internal error\n" };
const tooSlow: HttpAnswer = { status: 503, body: "no answer in time\n" };

async function serveRequest(serving: Serving, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  const drained = await drainBody(request);
  const answer = drained ? await answerOf(serving, request, gone.signal) : tooLarge;
  if (response.destroyed) return;
  // What is left of a body that was too large must not be taken for the next request.
  if (!drained || serving.closing) response.setHeader("connection", "close");
  response.setHeader("content-type", answer.contentType ?? "text/plain; charset=utf-8");
  response.setHeader("x-content-type-options", "nosniff");
  for (const [name, value] of Object.entries(answer.headers ?? {})) response.setHeader(name, value);
  response.setHeader("content-length", Buffer.byteLength(answer.body));
  response.writeHead(answer.status);
  // Node leaves the body of an answer to HEAD out.
  response.end(answer.body);
}

/** Whether the body ended within the cap; a body cut short by its sender counts as ended, nobody waits for the answer. */
async function drainBody(request: IncomingMessage): Promise<boolean> {
  if (Number(request.headers["content-length"] ?? 0) > maxBodyBytes) return false;
  let length = 0;
  try {
    // The connection is still needed for the answer when the loop ends early.
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      length += Buffer.byteLength(chunk);
      if (length > maxBodyBytes) return false;
    }
  } catch {
    return true;
  }
  return true;
}

async function answerOf(serving: Serving, request: IncomingMessage, signal: AbortSignal): Promise<HttpAnswer> {
  const method = request.method ?? "";
  const [path, search] = splitTarget(request.url ?? "");
  if (!path.startsWith("/")) return badRequest;
  const route = serving.routes.get(path);
  if (route === undefined) return notFound;
  if (!route.methods.includes(method)) {
    return { status: 405, body: "method not allowed\n", headers: { allow: route.methods.join(", ") } };
  }
  const remoteAddress = (request.socket.remoteAddress ?? "").replace(/^::ffff:(?=\d+\.)/, "");
  const query = new URLSearchParams(search);
  const deadline = { clock: serving.clock, ms: routeDeadlineMs, what: `route ${path}` };
  try {
    return await withDeadline(
      deadline,
      (routeSignal) => route.answer({ method, path, query, remoteAddress, signal: routeSignal }),
      signal,
    );
  } catch (error) {
    if (!signal.aborted) serving.logger.error("http route failed", { path, error });
    return errorCode(error) === "deadline-exceeded" ? tooSlow : internalError;
  }
}

function splitTarget(target: string): readonly [path: string, search: string] {
  const mark = target.indexOf("?");
  return mark < 0 ? [target, ""] : [target.slice(0, mark), target.slice(mark + 1)];
}

async function listen(server: Server, where: HostPort): Promise<HostPort> {
  try {
    return await listenOn(server, where);
  } catch (error) {
    const withoutIpv6 = ["EAFNOSUPPORT", "EADDRNOTAVAIL"].includes(errorCode(error) ?? "");
    if (where.host === "::" && withoutIpv6) return await listen(server, { host: "0.0.0.0", port: where.port });
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

async function closeServer(server: Server, clock: Clock): Promise<void> {
  const finished = new AbortController();
  // Ends idle connections too.
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  const cutting = clock.sleep(closeGraceMs, finished.signal).then(
    () => server.closeAllConnections(),
    () => undefined,
  );
  await closed;
  finished.abort();
  await cutting;
}

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { isIP } from "node:net";
import type { AttributedRequest } from "@signet/authorizer";
import { errorMessage, formatHostPort, type HostPort } from "@signet/runtime";
import type { Check, CheckOutcome } from "./check.ts";
import { AuthzServerError } from "./errors.ts";
import { workloadExtension } from "./find-workload.ts";
import type { OnFailure } from "./settings.ts";

/** The header in which Envoy says which workload a request is for; its own, which it writes over whatever the client sent. */
export const workloadHeader = "x-signet-workload";
const xfccHeader = "x-forwarded-client-cert";
/** What Envoy reads the names of headers to remove from. */
const removeHeader = "x-envoy-auth-headers-to-remove";

const limits = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  keepAliveTimeout: 60_000,
  maxHeaderSize: 65_536,
  connectionsCheckingInterval: 1_000,
} as const;

/** A server of the HTTP variant that listens. */
export interface HttpCheckServer {
  readonly address: HostPort;
  /** Stops listening, lets answers under way go out for `graceMs`, then cuts every connection. */
  close(graceMs: number): Promise<void>;
}

/**
 * Serves Envoy's HTTP variant of Check: a request with the method, path and headers of the one in question is answered with 200
 * and headers for upstream, or with the refusal itself.
 *
 * The peer's identity is the URI of the last element of `x-forwarded-client-cert`, its address the last of `x-forwarded-for`,
 * as Envoy writes them; it must be told to send both (`allowed_headers`), and to write them itself.
 * @throws AuthzServerError `listen-failed`
 */
export async function serveHttpCheck(listen: HostPort, check: Check): Promise<HttpCheckServer> {
  const stop = new AbortController();
  const server = createServer(limits, (request, response) => {
    answer(request, response, { check, stopping: stop.signal }).catch(() => response.destroy());
  });
  // Node hands these to nobody else, and to Envoy a connection that is cut is a failure.
  server.on("connect", (_, socket) => {
    socket.on("error", () => undefined).end("HTTP/1.1 403 Forbidden\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
  });
  await bind(server, listen);
  const bound = server.address();
  const port = typeof bound === "object" && bound !== null ? bound.port : listen.port;
  return {
    address: { host: listen.host, port },
    async close(graceMs) {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      const cut = setTimeout(() => {
        stop.abort(new Error("the server is shutting down"));
        server.closeAllConnections();
      }, graceMs);
      await closed;
      clearTimeout(cut);
    },
  };
}

async function bind(server: Server, listen: HostPort): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ host: listen.host, port: listen.port }, () => resolve());
    });
  } catch (error) {
    const message = `cannot listen at ${formatHostPort(listen)}: ${errorMessage(error)}`;
    throw new AuthzServerError("listen-failed", message, { cause: error });
  }
  server.removeAllListeners("error").on("error", () => undefined);
}

type Serving = { readonly check: Check; readonly stopping: AbortSignal };

async function answer(request: IncomingMessage, response: ServerResponse, { check, stopping }: Serving): Promise<void> {
  // Bodies are no part of the question.
  request.resume();
  const gone = new AbortController();
  response.once("close", () => gone.abort(new Error("the client is gone")));
  const outcome = await check(attributedRequest(request), AbortSignal.any([gone.signal, stopping]));
  try {
    write(response, outcome);
  } catch {
    // What cannot be written is no answer, and Envoy may take none for a failure that lets through.
    response.writeHead(403).end();
  }
}

function attributedRequest(request: IncomingMessage): AttributedRequest {
  const headers = pairsOf(request.rawHeaders);
  const own = new Set([workloadHeader, xfccHeader]);
  const workload = lastOf(headers, workloadHeader);
  const principal = principalOf(lastOf(headers, xfccHeader));
  const address = lastOf(headers, "x-forwarded-for")?.split(",").at(-1)?.trim();
  return {
    method: request.method ?? "",
    scheme: lastOf(headers, "x-forwarded-proto") ?? "",
    host: lastOf(headers, "host") ?? "",
    path: request.url ?? "",
    headers: headers.filter(([name]) => !own.has(name.toLowerCase())),
    source: {
      ...(principal === undefined ? {} : { principal }),
      ...(address === undefined || isIP(address) === 0 ? {} : { address }),
    },
    destination: {},
    filterMetadata: {},
    contextExtensions: workload === undefined ? new Map() : new Map([[workloadExtension, workload]]),
  };
}

type Header = readonly [name: string, value: string];

function pairsOf(raw: readonly string[]): readonly Header[] {
  return raw.flatMap((name, at) => (at % 2 === 0 ? [[name, raw[at + 1] ?? ""] as const] : []));
}

function lastOf(headers: readonly Header[], wanted: string): string | undefined {
  return headers.findLast(([name]) => name.toLowerCase() === wanted)?.[1];
}

/** The URI of the last element: what Envoy itself has seen of the certificate. Quoted values hold no URI of a mesh. */
function principalOf(header = ""): string | undefined {
  const uris = lastElement(header).filter((pair) => pair.trim().toLowerCase().startsWith("uri="));
  const [only, second] = uris.map((pair) => pair.slice(pair.indexOf("=") + 1).trim());
  return second === undefined && only !== undefined && only !== "" && !only.includes('"') ? only : undefined;
}

/** The pairs of the last element. What is in quotes, such as the subject that a client has chosen, ends neither pair nor element. */
function lastElement(header: string): readonly string[] {
  let pairs: string[] = [];
  let start = 0;
  let quoted = false;
  for (let at = 0; at <= header.length; at++) {
    const character = header[at];
    if (character === "\\") at++;
    else if (character === '"') quoted = !quoted;
    else if (character === undefined || (!quoted && (character === "," || character === ";"))) {
      pairs.push(header.slice(start, at));
      if (character === ",") pairs = [];
      start = at + 1;
    }
  }
  return pairs;
}

/** Of a refusal. To Envoy 200 is a yes, and 5xx a failure, which `failure_mode_allow` may let through. */
function refusalStatus(status: number): number {
  return status >= 300 && status < 500 ? status : 403;
}

function write(response: ServerResponse, outcome: CheckOutcome): void {
  switch (outcome.kind) {
    case "workload-unknown":
      return void response.writeHead(403).end("the workload of this request is not known");
    case "failed":
      return void writeFailure(response, outcome.onFailure);
    case "decided":
      break;
  }
  const { effect, upstream, downstream, answer } = outcome.result;
  if (effect === "deny") {
    const { status = 403, body = "", headers = [] } = answer ?? {};
    return void response.writeHead(refusalStatus(status), groupOf(headers)).end(Buffer.from(body, "latin1"));
  }
  const added = new Set(upstream.add.map(([name]) => name));
  const removed = upstream.remove.filter((name) => !added.has(name));
  const removal: readonly Header[] = removed.length === 0 ? [] : [[removeHeader, removed.join(",")]];
  response.writeHead(200, groupOf([...upstream.add, ...downstream, ...removal])).end();
}

function writeFailure(response: ServerResponse, onFailure: OnFailure): void {
  switch (onFailure) {
    case "allow":
      return void response.writeHead(200).end();
    case "deny":
      return void response.writeHead(403).end("authorization is not available");
    case "error":
      return void response.writeHead(503).end("authorization is not available");
  }
}

function groupOf(headers: readonly Header[]): Record<string, string[]> {
  const groups = Map.groupBy(headers, ([name]) => name);
  return Object.fromEntries([...groups].map(([name, pairs]) => [name, pairs.map(([, value]) => value)]));
}

import { request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import { request as httpsRequest } from "node:https";
import { pipeline } from "node:stream/promises";

const upstreamTimeoutMs = 30_000;

/** What concerns one connection alone (RFC 9110 section 7.6.1), and what this gateway says itself. */
const notForwarded: ReadonlySet<string> = new Set([
  ...["connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "expect"],
  ...["proxy-authenticate", "proxy-authorization", "http2-settings"],
  ...["forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-client-cert"],
]);

const connectionOptions: ReadonlySet<string> = new Set(["close", "keep-alive", "te", "upgrade", "http2-settings", ""]);

/** A handler that passes requests on as they are, headers in their order, bodies as they come. */
export function proxyTo(upstream: URL): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  if (upstream.protocol !== "http:" && upstream.protocol !== "https:")
    throw new Error("an upstream is an http or https URL");
  const send = upstream.protocol === "https:" ? httpsRequest : httpRequest;
  return async (request, response) => {
    // A header that `connection` names is dropped on the way, and a client could name one that says who it is.
    const named = (request.headersDistinct.connection ?? []).flatMap((value) => value.toLowerCase().split(","));
    if (named.some((option) => !connectionOptions.has(option.trim()))) return answer(response, 400, "Bad Request");
    const outgoing = send(upstream, {
      ...{ method: request.method ?? "GET", path: request.url ?? "/", setHost: false },
      headers: [...forwardedHeaders(request.rawHeaders), ...ownHeaders(request)].flat(),
      timeout: upstreamTimeoutMs,
    });
    await passOn({ request, response, outgoing });
  };
}

type Exchange = {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly outgoing: ReturnType<typeof httpRequest>;
};

async function passOn({ request, response, outgoing }: Exchange): Promise<void> {
  const answered = Promise.withResolvers<IncomingMessage>();
  outgoing.once("response", answered.resolve).once("error", answered.reject);
  outgoing.once("timeout", () => outgoing.destroy(new Error("the upstream took too long")));
  response.once("close", () => outgoing.destroy());
  // An upstream may answer before it has read everything; what the client still sends then goes nowhere.
  const sending = pipeline(request, outgoing).catch(() => undefined);
  try {
    const upstream = await answered.promise;
    response.writeHead(upstream.statusCode ?? 502, forwardedHeaders(upstream.rawHeaders).flat());
    await pipeline(upstream, response);
  } catch {
    if (response.headersSent) response.destroy();
    else answer(response, 502, "Bad Gateway");
  }
  await sending;
}

function forwardedHeaders(rawHeaders: readonly string[]): readonly (readonly [string, string])[] {
  return rawHeaders.flatMap((name, at) => {
    const value = rawHeaders[at + 1];
    // Many upstreams take `x_user` for `x-user`, and no rule takes it off.
    const isKept = !notForwarded.has(name.toLowerCase()) && !name.includes("_");
    return at % 2 === 0 && value !== undefined && isKept ? [[name, value] as const] : [];
  });
}

/** The framing of the body, which is ours to say, and who the client is. */
function ownHeaders({ socket, headers }: IncomingMessage): readonly (readonly [string, string])[] {
  const framing = headers["transfer-encoding"] === undefined ? [] : [["transfer-encoding", "chunked"] as const];
  return [...framing, ["x-forwarded-for", socket.remoteAddress ?? "unknown"], ["x-forwarded-proto", "http"]];
}

function answer(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { "content-type": "text/plain", "content-length": Buffer.byteLength(body) }).end(body);
}

import { once } from "node:events";
import { request as httpRequest, type IncomingMessage, type Server } from "node:http";
import { connect as connectHttp2, type Http2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import type { Answer, RunningServer, SentRequest } from "./adapter-under-test.ts";

/** Lets a server listen on a free port of this machine. */
export async function listen(server: Server | Http2Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

/** A running HTTP/1.1 server, and how to talk to it. */
export function runningHttp(port: number, close: () => Promise<unknown>): RunningServer {
  return { send: (request) => sendHttp(port, request), close: async () => void (await close()) };
}

/** Sends a request with exactly these headers, `host` and `content-length` apart where they are missing. */
export async function sendHttp(
  port: number,
  { method = "GET", path = "/", headers = [], body, signal }: SentRequest,
): Promise<Answer> {
  const names = new Set(headers.map(([name]) => name.toLowerCase()));
  const sent = [
    ...(names.has("host") ? [] : [["host", "shop.example"] as const]),
    ...(body === undefined ? [] : [["content-length", String(Buffer.byteLength(body))] as const]),
    ...headers,
  ];
  const outgoing = httpRequest({
    ...{ host: "127.0.0.1", port, method, path, setHost: false, agent: false },
    headers: sent.flat(),
    ...(signal === undefined ? {} : { signal }),
  });
  outgoing.end(body);
  const [response] = (await once(outgoing, "response")) as [IncomingMessage];
  const chunks = await response.toArray();
  return {
    status: response.statusCode ?? 0,
    body: Buffer.concat(chunks).toString("utf8"),
    headers: new Map(Object.entries(response.headers).map(([name, value]) => [name, String(value)])),
  };
}

/** What HTTP/2 calls the parts of a request line. */
function pseudoHeaders({ method = "GET", path = "/" }: SentRequest): string[] {
  return [":method", method, ":scheme", "http", ":authority", "shop.example", ":path", path];
}

/** Sends a request over HTTP/2 without TLS, on a connection of its own. */
export async function sendHttp2(
  port: number,
  request: SentRequest & { readonly payload?: Buffer },
): Promise<Answer & { readonly trailers: ReadonlyMap<string, string>; readonly octets: Buffer }> {
  // Lets a client repeat any header; Node's types do not know it.
  const options: object = { strictSingleValueFields: false };
  const session = connectHttp2(`http://127.0.0.1:${port}`, options);
  try {
    const fields = (request.headers ?? []).flat();
    const { signal } = request;
    const stream = session.request([...pseudoHeaders(request), ...fields], signal === undefined ? {} : { signal });
    const answered = once(stream, "response");
    const trailers = new Map<string, string>();
    stream.on("trailers", (received: object) => {
      for (const [name, value] of Object.entries(received)) trailers.set(name, String(value));
    });
    stream.end(request.payload ?? request.body);
    const [received] = (await answered) as [Record<string, unknown>];
    const octets = Buffer.concat(await stream.toArray());
    const headers = new Map(Object.entries(received).map(([name, value]) => [name, String(value)]));
    return { status: Number(received[":status"]), body: octets.toString("utf8"), headers, trailers, octets };
  } finally {
    session.destroy();
  }
}

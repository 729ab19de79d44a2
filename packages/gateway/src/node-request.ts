import {
  changeHeaders,
  type GatewayPeer,
  type GatewayRequest,
  type HeaderChanges,
  withHost,
} from "./gateway-request.ts";
import { peerPrincipal, type TlsPeer } from "./peer-principal.ts";
import { authorityEnd, parseRequestTarget } from "./request-target.ts";

/** A request of `node:http`, or of the compatibility API of `node:http2`, as far as it matters here. */
export type NodeRequest = {
  readonly method?: string | undefined;
  url?: string | undefined;
  readonly rawHeaders: string[];
  readonly headers: NodeHeaders;
  readonly headersDistinct?: NodeJS.Dict<string[]>;
  readonly socket: NodeSocket;
};

/** The joined view of headers that Node makes. */
type NodeHeaders = { [name: string]: string | string[] | undefined };

type NodeSocket = TlsPeer & {
  readonly encrypted?: boolean;
  readonly servername?: string | false | null;
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
};

/**
 * Returns a request as it came, or undefined for one that two readers could take for two different ones.
 *
 * Headers are read from `rawHeaders`: Node's joined view drops repeated ones. `target` stands in for `url` where a framework
 * has shortened it.
 */
export function readNodeRequest(
  request: NodeRequest,
  { trustedHops, target = request.url ?? "" }: { readonly trustedHops: number; readonly target?: string },
): GatewayRequest | undefined {
  const { rawHeaders, socket, method = "" } = request;
  const headers: [string, string][] = [];
  const hosts: string[] = [];
  let authority: string | undefined;
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? "";
    const value = rawHeaders[at + 1] ?? "";
    if (name === ":authority") authority = value;
    if (name.startsWith(":")) continue;
    headers.push([name, value]);
    if (name.toLowerCase() === "host") hosts.push(value);
  }
  // RFC 9113 section 8.3.1: a Host header of HTTP/2 says the same as `:authority`, or the request is malformed.
  if (authority !== undefined && hosts.some((host) => host !== authority)) return undefined;
  const asked = parseRequestTarget({ method, target }, authority === undefined ? hosts : [authority]);
  if (asked === undefined) return undefined;
  const { encrypted, ...connection } = readConnection(socket);
  const scheme = forwardedScheme(headers, trustedHops) ?? (encrypted ? "https" : "http");
  return { method, scheme, ...asked, headers, ...connection };
}

/** What the proxy before us says, as long as there is one; its own value stands last. */
export function forwardedScheme(headers: GatewayRequest["headers"], trustedHops: number): "http" | "https" | undefined {
  if (trustedHops === 0) return undefined;
  const value = headers.findLast(([name]) => name.toLowerCase() === "x-forwarded-proto")?.[1];
  const last = value?.split(",").at(-1)?.trim().toLowerCase();
  return last === "http" || last === "https" ? last : undefined;
}

type Connection = Pick<GatewayRequest, "source" | "destination" | "sni">;

/** Of a connection that is no socket nothing is known. */
export const unknownConnection: Connection = { source: {}, destination: {} };

/** The two ends of the connection that a request came on. */
export function readConnection(socket: NodeSocket): Connection & { readonly encrypted: boolean } {
  try {
    const principal = peerPrincipal(socket);
    const { servername } = socket;
    return {
      encrypted: socket.encrypted === true,
      source: { ...(principal === undefined ? {} : { principal }), ...peer(socket.remoteAddress, socket.remotePort) },
      destination: peer(socket.localAddress, socket.localPort),
      ...(servername ? { sni: servername } : {}),
    };
  } catch {
    // The socket of an HTTP/2 session that has ended throws at every touch.
    return { encrypted: false, ...unknownConnection };
  }
}

function peer(address: string | undefined, port: number | undefined): GatewayPeer {
  return {
    ...(address === undefined ? {} : { address: address.replace(/^::ffff:(?=\d+\.)/, "") }),
    ...(port === undefined || port === 0 ? {} : { port }),
  };
}

/** Makes a request what a gateway has let through: its headers, in all views that Node has of them, and its path. */
export function changeNodeRequest(request: NodeRequest, seen: GatewayRequest, changes: HeaderChanges): void {
  request.url = changes.path ?? originForm(request.url ?? "");
  changeNodeHeaders(request, seen, changes);
}

/** The path and query of what stands in a request line: a URL there has an authority too. */
export function originForm(target: string): string {
  if (target.startsWith("/") || target === "*") return target;
  const rest = target.slice(target.indexOf("//") + 2);
  const path = rest.slice(authorityEnd(rest));
  return path.startsWith("/") ? path : `/${path}`;
}

/** Changes the headers of a request, and Host where a URL in the request line has said something else. */
export function changeNodeHeaders(request: NodeRequest, seen: GatewayRequest, changes: HeaderChanges): void {
  const all = withHost(seen, changes);
  if (all.remove.length === 0 && all.add.length === 0) return;
  // Node makes these views when they are first read; once read, they are objects of their own.
  const { headers, headersDistinct } = request;
  changeRawHeaders(request.rawHeaders, seen, all);
  for (const name of all.remove) {
    delete headers[name];
    delete headersDistinct?.[name];
  }
  for (const [name, value] of all.add) {
    headers[name] = joined(name, headers[name], value);
    if (headersDistinct !== undefined) headersDistinct[name] = [...(headersDistinct[name] ?? []), value];
  }
}

function changeRawHeaders(rawHeaders: string[], { headers }: GatewayRequest, changes: HeaderChanges): void {
  const pseudo: string[] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    if (rawHeaders[at]?.startsWith(":")) pseudo.push(...rawHeaders.slice(at, at + 2));
  }
  rawHeaders.splice(0, rawHeaders.length, ...pseudo, ...changeHeaders(headers, changes).flat());
}

/** Headers of which Node keeps the first. */
const single: ReadonlySet<string> = new Set([
  ...["age", "authorization", "content-length", "content-type", "etag", "expires", "from", "host", "if-modified-since"],
  ...["if-unmodified-since", "last-modified", "location", "max-forwards", "proxy-authorization", "referer"],
  ...["retry-after", "server", "user-agent"],
]);

/** Two values as Node has them in its joined view. */
function joined(name: string, known: string | string[] | undefined, value: string): string | string[] {
  if (name === "set-cookie") return [...(known ?? []), value];
  if (known === undefined) return value;
  if (single.has(name)) return known;
  return `${known}${name === "cookie" ? "; " : ", "}${value}`;
}

import { changeHeaders, type GatewayRequest, type HeaderChanges, type HeaderList } from "./gateway-request.ts";
import { forwardedScheme, type NodeRequest, originForm, readNodeRequest, unknownConnection } from "./node-request.ts";

/** Returns a request of the Fetch API as a gateway takes it, or undefined for one that could be taken for two different ones. */
export function readFetchRequest(
  request: Pick<Request, "method" | "url" | "headers">,
  { trustedHops, incoming }: { readonly trustedHops: number; readonly incoming?: NodeRequest | undefined },
): GatewayRequest | undefined {
  const { method } = request;
  // As text: a router looks at this very text, and servers have requests whose URL was never normalized.
  const [written = ""] = request.url.split("#", 1);
  const path = originForm(written);
  // Node's own request knows repeated headers apart and who is at the other end; Fetch knows neither.
  if (incoming !== undefined) {
    const seen = readNodeRequest(incoming, { trustedHops });
    return seen === undefined ? undefined : { ...seen, method, path };
  }
  const url = new URL(request.url);
  const headers: HeaderList = [...request.headers];
  const scheme = forwardedScheme(headers, trustedHops) ?? url.protocol.slice(0, -1);
  return { method, scheme, host: hostOf(url, request.headers), path, headers, ...unknownConnection };
}

/** As the client wrote it, where that is what the URL was made of: a URL leaves out the usual port. */
function hostOf(url: URL, headers: Headers): string {
  const written = headers.get("host") ?? "";
  return URL.parse(`${url.protocol}//${written}`)?.host === url.host ? written : url.host;
}

/** Returns the request that a gateway has let through; the same object where nothing changes. */
export function changeFetchRequest(request: Request, changes: HeaderChanges): Request {
  const { remove, add, path } = changes;
  if (remove.length === 0 && add.length === 0 && path === undefined) return request;
  const headers = new Headers([...changeHeaders([...request.headers], changes)].map(([name, value]) => [name, value]));
  if (path === undefined) return new Request(request, { headers });
  const { method, body, signal } = request;
  // Not resolved against the URL: a path that begins with two slashes would name another host.
  const url = `${new URL(request.url).origin}${path.startsWith("/") ? path : `/${path}`}`;
  return new Request(url, { method, headers, body, signal, duplex: "half" });
}

/** Changes headers in place, where a framework has made no other request of them. */
export function changeFetchHeaders(headers: Headers, { remove, add }: HeaderChanges): void {
  for (const name of remove) headers.delete(name);
  for (const [name, value] of add) headers.append(name, value);
}

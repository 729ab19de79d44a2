import { request as httpRequest } from "node:http";
import { request as httpsRequest, type RequestOptions } from "node:https";
import { type BlockList, isIP, type Socket } from "node:net";
import { connect, type TLSSocket } from "node:tls";
import { blockListOf, holds, isLoopbackAddress, parseSubnet } from "./address-guard.ts";
import { hostOf } from "./check-url.ts";
import { JwtError, quote } from "./errors.ts";

/** The way out of a network whose machines reach others through a proxy alone. Nothing is read from the environment. */
export type ProxySettings = {
  /** The proxy for https, which is asked for a tunnel: `http://proxy.example:3128`, user and password where it wants them. */
  readonly httpsProxy?: string;
  /** The proxy for http, where that is allowed at all. */
  readonly httpProxy?: string;
  /**
   * Hosts that are reached without it, with commas between them: a name and all below it, `.name` for those below alone, an IP
   * address, a CIDR, each with a port or for all, or `*`. This machine is never reached through a proxy.
   */
  readonly noProxy?: string;
};

/** Picks the proxy for a URL; undefined for a direct connection. */
export type ProxyOf = (url: URL) => URL | undefined;

/**
 * Returns what picks the proxy by these settings.
 * @throws JwtError `proxy-invalid`
 */
export function createProxyOf(settings: ProxySettings = {}): ProxyOf {
  const proxies = { "https:": proxyUrl(settings.httpsProxy), "http:": proxyUrl(settings.httpProxy) };
  const exceptions = (settings.noProxy ?? "").split(/[\s,]+/).filter((entry) => entry !== "");
  const isDirect = exceptions.map(exceptionOf);
  return (url) => {
    const proxy = url.protocol === "https:" || url.protocol === "http:" ? proxies[url.protocol] : undefined;
    if (proxy === undefined || isThisMachine(url)) return undefined;
    return isDirect.some((matches) => matches(url)) ? undefined : proxy;
  };
}

function proxyUrl(text: string | undefined): URL | undefined {
  if (text === undefined || text === "") return undefined;
  const url = URL.parse(text.includes("://") ? text : `http://${text}`);
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) {
    // Not quoted: it may hold a password.
    throw new JwtError("proxy-invalid", "a proxy is not an http or https URL");
  }
  return url;
}

function isThisMachine(url: URL): boolean {
  const host = hostOf(url);
  return host === "localhost" || isLoopbackAddress(host);
}

function exceptionOf(entry: string): (url: URL) => boolean {
  if (entry === "*") return () => true;
  if (entry.includes("/") || isIP(entry) !== 0) return inRange(blockListOf([parseSubnet(entry)]));
  const { host, port } = splitPort(entry.toLowerCase());
  if (isIP(host) !== 0) {
    const isIn = inRange(blockListOf([parseSubnet(host)]));
    return (url) => isIn(url) && port === portOf(url);
  }
  const below = host.startsWith("*.") ? host.slice(1) : host.startsWith(".") ? host : `.${host}`;
  return (url) => {
    const name = hostOf(url).toLowerCase();
    return (name === host || name.endsWith(below)) && (port === undefined || port === portOf(url));
  };
}

function inRange(list: BlockList): (url: URL) => boolean {
  return (url) => isIP(hostOf(url)) !== 0 && holds(list, hostOf(url));
}

function splitPort(entry: string): { readonly host: string; readonly port?: string } {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(entry);
  return match === null ? { host: entry } : { host: match[1] ?? match[2] ?? "", port: match[3] ?? "" };
}

function portOf(url: URL): string {
  return url.port === "" ? (url.protocol === "https:" ? "443" : "80") : url.port;
}

/** The headers that a proxy wants for itself. */
export function proxyHeaders(proxy: URL): Readonly<Record<string, string>> {
  if (proxy.username === "" && proxy.password === "") return {};
  const credentials = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
  return { "proxy-authorization": `Basic ${Buffer.from(credentials, "utf8").toString("base64")}` };
}

/**
 * Opens a tunnel through `proxy` to the host of an https URL (RFC 9110 section 9.3.6), and TLS to that host inside it.
 * @throws JwtError `fetch-failed` when the proxy answers with another status than 200
 */
export async function openTunnel(
  { proxy, url, caPem }: { readonly proxy: URL; readonly url: URL; readonly caPem?: string },
  signal: AbortSignal,
): Promise<TLSSocket> {
  // Said aloud so that NODE_TLS_REJECT_UNAUTHORIZED cannot unsay it.
  const trust = { rejectUnauthorized: true, ...(caPem === undefined ? {} : { ca: caPem }) };
  const socket = await connectThrough({ proxy, authority: `${url.hostname}:${portOf(url)}`, trust }, signal);
  const host = hostOf(url);
  // Names alone are asked for (RFC 6066 section 3); an address is compared with the certificate all the same.
  return connect({ socket, ...(isIP(host) === 0 ? { servername: host } : { host }), ...trust });
}

type Tunnel = { readonly proxy: URL; readonly authority: string; readonly trust: RequestOptions };

function connectThrough({ proxy, authority, trust }: Tunnel, signal: AbortSignal): Promise<Socket> {
  const options: RequestOptions = {
    method: "CONNECT",
    path: authority,
    headers: { host: authority, "user-agent": "signet", ...proxyHeaders(proxy) },
    agent: false,
    signal,
    ...trust,
  };
  return new Promise((resolve, reject) => {
    const open = proxy.protocol === "https:" ? httpsRequest : httpRequest;
    const bare = new URL(proxy.origin);
    const refuse = (socket: Socket, why: string): void => {
      socket.destroy();
      reject(new JwtError("fetch-failed", `proxy ${quote(proxy.host)} ${why}`));
    };
    open(bare, options)
      .on("connect", (response, socket, head) => {
        if (response.statusCode !== 200) return refuse(socket, `answers with status ${response.statusCode}`);
        // TLS begins with us; whoever speaks first is not the host.
        if (head.length > 0) return refuse(socket, "sends something before it is asked");
        resolve(socket);
      })
      .on("response", (response) => refuse(response.socket, `answers with status ${response.statusCode}`))
      .on("error", reject)
      .end();
  });
}

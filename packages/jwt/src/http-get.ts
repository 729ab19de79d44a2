import { type LookupAddress, type LookupAllOptions, lookup } from "node:dns";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest, type RequestOptions } from "node:https";
import { isIP, type LookupFunction } from "node:net";
import { errorMessage } from "@signet/runtime";
import { type AddressGuard, createAddressGuard, isLoopbackAddress } from "./address-guard.ts";
import { hostOf } from "./check-url.ts";
import { JwtError, quote } from "./errors.ts";
import { openTunnel, proxyHeaders } from "./proxy.ts";

/** One GET: where to, and what bounds it. */
export type HttpGetRequest = {
  readonly url: URL;
  /** Largest body, in bytes. */
  readonly maxBytes: number;
  /** Certificates that are trusted instead of the system's. */
  readonly caPem?: string;
  /** Shown as `authorization: Bearer`; whoever sets it answers for the URL. */
  readonly bearerToken?: string;
  /** Whether a name that resolves to another machine is refused. */
  readonly onlyLoopback: boolean;
  /** Which addresses are refused; link-local and metadata ones unless given. */
  readonly guard?: AddressGuard;
  /** Through which proxy; directly unless given. A proxy resolves names itself, and then only addresses in URLs are guarded. */
  readonly proxy?: URL;
};

/** What came back; a redirect is a status like any other and is not followed here. */
export type HttpGetResponse = {
  readonly status: number;
  readonly body: Uint8Array;
  /** Where a redirect leads, as the header has it. */
  readonly location?: string;
};

/** Fetches one document. Rejects with `JwtError`, or with the reason of `signal`. */
export type HttpGet = (request: HttpGetRequest, signal: AbortSignal) => Promise<HttpGetResponse>;

/**
 * Fetches one document with Node's own client, over a connection of its own.
 *
 * Names are resolved here and every address is checked before it is connected to; one refused address refuses the name,
 * since an attacker who answers for a name can answer twice. No redirect, no compression, no cookie, and no proxy unless it is given.
 * @throws JwtError `address-refused`, `response-too-large`, `fetch-failed`
 * @example
 * ```ts
 * import { httpGet } from "@signet/jwt";
 * const url = new URL("https://issuer.example/jwks.json");
 * const { status } = await httpGet({ url, maxBytes: 262144, onlyLoopback: false }, AbortSignal.timeout(5000));
 * ```
 */
export const httpGet: HttpGet = (request, signal) => httpGetWith(lookup, request, signal);

/** `httpGet` with another resolver, for tests. */
export async function httpGetWith(
  resolve: Resolve,
  request: HttpGetRequest,
  signal: AbortSignal,
): Promise<HttpGetResponse> {
  try {
    // Node asks no resolver about an address.
    const host = hostOf(request.url);
    const refusal = isIP(host) === 0 ? undefined : checkAddresses(host, [{ address: host }], request);
    if (refusal !== undefined) throw refusal;
    const response = await send(request, resolve, signal);
    const status = response.statusCode ?? 0;
    const { location } = response.headers;
    const body = await readBody(response, request.maxBytes);
    return location === undefined ? { status, body } : { status, body, location };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof JwtError) throw error;
    const message = `cannot fetch ${describeUrl(request.url)}: ${errorMessage(error)}`;
    throw new JwtError("fetch-failed", message, { cause: error });
  }
}

/** A URL as it may stand in a message: without its query, which may hold a secret. */
export function describeUrl(url: URL): string {
  return quote(`${url.origin}${url.pathname}`);
}

async function send(request: HttpGetRequest, resolve: Resolve, signal: AbortSignal): Promise<IncomingMessage> {
  const { url, caPem, bearerToken, proxy } = request;
  const options: RequestOptions = {
    method: "GET",
    headers: {
      accept: "application/json",
      "accept-encoding": "identity",
      "user-agent": "signet",
      ...(bearerToken === undefined ? {} : { authorization: `Bearer ${bearerToken}` }),
    },
    signal,
    // Said aloud so that NODE_TLS_REJECT_UNAUTHORIZED cannot unsay it.
    rejectUnauthorized: true,
    ...(caPem === undefined ? {} : { ca: caPem }),
  };
  if (proxy === undefined)
    return await open(url, { ...options, agent: false, lookup: guardedLookup(request, resolve) });
  if (url.protocol === "https:") {
    const tunnel = await openTunnel({ proxy, url, ...(caPem === undefined ? {} : { caPem }) }, signal);
    // An agent, even one of its own, would make a connection itself.
    return await open(url, { ...options, createConnection: () => tunnel });
  }
  // RFC 9112 section 3.2.2: a proxy is told the whole URL.
  const headers = { ...options.headers, host: url.host, ...proxyHeaders(proxy) };
  return await open(new URL(proxy.origin), { ...options, agent: false, headers, path: url.href });
}

function open(url: URL, options: RequestOptions): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = url.protocol === "https:" ? httpsRequest : httpRequest;
    request(url, options, resolve).on("error", reject).end();
  });
}

async function readBody(response: IncomingMessage, maxBytes: number): Promise<Uint8Array> {
  const encoding = response.headers["content-encoding"];
  if (encoding !== undefined && encoding !== "identity") {
    response.destroy();
    throw new JwtError("fetch-failed", "response is compressed although that was not asked for");
  }
  const chunks: Buffer[] = [];
  let size = 0;
  // Leaving the loop early destroys the response and its connection; a connection cut midway throws.
  for await (const chunk of response) {
    size += chunk.length;
    if (size > maxBytes) throw new JwtError("response-too-large", `response exceeds ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** All addresses of a name; Node's own resolver, except in tests. */
export type Resolve = (
  hostname: string,
  options: LookupAllOptions,
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

type Addressing = Pick<HttpGetRequest, "onlyLoopback" | "guard">;

const defaultGuard = createAddressGuard();

/** Resolves a name as Node does, and fails when any of its addresses is refused. */
export function guardedLookup(request: Addressing, resolve: Resolve): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return callback(error, "", 0);
      const refusal = checkAddresses(hostname, addresses, request);
      const [first] = addresses;
      if (refusal !== undefined || first === undefined) {
        return callback(refusal ?? new JwtError("fetch-failed", `${quote(hostname)} has no address`), "", 0);
      }
      if (options.all === true) return callback(null, addresses);
      callback(null, first.address, first.family);
    });
  };
}

function checkAddresses(
  hostname: string,
  addresses: readonly { readonly address: string }[],
  { onlyLoopback, guard = defaultGuard }: Addressing,
): JwtError | undefined {
  for (const { address } of addresses) {
    const refusal = guard(address);
    if (refusal !== undefined) {
      return new JwtError("address-refused", `${quote(hostname)} resolves to ${address}, ${refusal}`);
    }
    if (onlyLoopback && !isLoopbackAddress(address)) {
      return new JwtError("address-refused", `${quote(hostname)} resolves to ${address}, which is not this machine`);
    }
  }
  return undefined;
}

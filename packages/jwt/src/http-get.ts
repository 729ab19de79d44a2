import { type LookupAddress, type LookupAllOptions, lookup } from "node:dns";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest, type RequestOptions } from "node:https";
import { isIP, type LookupFunction } from "node:net";
import { errorMessage } from "@signet/runtime";
import { hostOf } from "./check-url.ts";
import { JwtError, quote } from "./errors.ts";
import { isLoopbackAddress, isRefusedAddress } from "./refused-addresses.ts";

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
};

/** What came back; a redirect is a status like any other and is never followed. */
export type HttpGetResponse = { readonly status: number; readonly body: Uint8Array };

/** Fetches one document. Rejects with `JwtError`, or with the reason of `signal`. */
export type HttpGet = (request: HttpGetRequest, signal: AbortSignal) => Promise<HttpGetResponse>;

/**
 * Fetches one document with Node's own client, over a connection of its own.
 *
 * Names are resolved here and every address is checked before it is connected to; one refused address refuses the name,
 * since an attacker who answers for a name can answer twice. No proxy, no redirect, no compression, no cookie.
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
    const refusal = isIP(host) === 0 ? undefined : checkAddresses(host, [{ address: host }], request.onlyLoopback);
    if (refusal !== undefined) throw refusal;
    const response = await send(request, guardedLookup(request, resolve), signal);
    return { status: response.statusCode ?? 0, body: await readBody(response, request.maxBytes) };
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

function send(request: HttpGetRequest, guarded: LookupFunction, signal: AbortSignal): Promise<IncomingMessage> {
  const { url, caPem, bearerToken } = request;
  const options: RequestOptions = {
    method: "GET",
    headers: {
      accept: "application/json",
      "accept-encoding": "identity",
      "user-agent": "signet",
      ...(bearerToken === undefined ? {} : { authorization: `Bearer ${bearerToken}` }),
    },
    agent: false,
    lookup: guarded,
    signal,
    // Said aloud so that NODE_TLS_REJECT_UNAUTHORIZED cannot unsay it.
    rejectUnauthorized: true,
    ...(caPem === undefined ? {} : { ca: caPem }),
  };
  return new Promise((resolve, reject) => {
    const open = url.protocol === "https:" ? httpsRequest : httpRequest;
    open(url, options, resolve).on("error", reject).end();
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

/** Resolves a name as Node does, and fails when any of its addresses is refused. */
export function guardedLookup(request: Pick<HttpGetRequest, "onlyLoopback">, resolve: Resolve): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return callback(error, "", 0);
      const refusal = checkAddresses(hostname, addresses, request.onlyLoopback);
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
  onlyLoopback: boolean,
): JwtError | undefined {
  for (const { address } of addresses) {
    if (isRefusedAddress(address)) {
      const message = `${quote(hostname)} resolves to ${address}, a link-local or metadata address`;
      return new JwtError("address-refused", message);
    }
    if (onlyLoopback && !isLoopbackAddress(address)) {
      return new JwtError("address-refused", `${quote(hostname)} resolves to ${address}, which is not this machine`);
    }
  }
  return undefined;
}

/** What a policy may ask about a connection. Text is one character per octet, as Node's HTTP servers have it. */
export type ConnectionAttributes = {
  /**
   * The SPIFFE ID of the peer's verified certificate, scheme and all: `spiffe://cluster.local/ns/foo/sa/bar`. Absent for
   * plaintext and for a client without a certificate.
   */
  readonly peerPrincipal?: string;
  /** Address of the TCP peer, whatever the PROXY protocol says; IPv4 or IPv6 without a port. Absent on a Unix socket. */
  readonly directRemoteIp?: string;
  /** Address of the client by X-Forwarded-For and trusted hops, else by the PROXY protocol, else that of the TCP peer. */
  readonly remoteIp?: string;
  readonly destinationIp?: string;
  /** The port that the workload listens on, not its Service's. */
  readonly destinationPort?: number;
  /** The server name that the client asked for in TLS. */
  readonly sni?: string;
  /** What other filters left, by the full name of the filter, such as `envoy.filters.http.foo`. JSON, so Unicode. */
  readonly filterMetadata?: JsonObject;
};

/** A connection that carries no HTTP, or whose HTTP is not looked into. */
export type TcpAuthorizationRequest = ConnectionAttributes & { readonly kind: "tcp" };

/** An HTTP request as Envoy sees it once paths are normalized. */
export type HttpAuthorizationRequest = ConnectionAttributes & {
  readonly kind: "http";
  readonly method: string;
  readonly scheme?: string;
  /** With its query, normalized: see `normalizePath`. Absent for a CONNECT without one. */
  readonly path?: string;
  /** `:authority`, or the Host header, with its port if there is one. */
  readonly host?: string;
  /** By name in lower case. */
  readonly headers: RequestHeaders;
  /** The claims of a verified token as they are published, space-delimited ones split. Absent without a token. */
  readonly jwtPayload?: JsonObject;
};

/** What is decided. */
export type AuthorizationRequest = HttpAuthorizationRequest | TcpAuthorizationRequest;

/**
 * The headers of a request: by a name in lower case one value, or all values in their order where a header is repeated. A
 * `Map` will do. Where repeated headers were joined with commas already, they are one value.
 */
export type RequestHeaders = { get(name: string): string | readonly string[] | undefined };

/** A value of JSON. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject;

/** An object of JSON; only its own properties count. */
export type JsonObject = { readonly [name: string]: unknown };

/**
 * Returns headers by name in lower case, from pairs as they came, repeated ones kept apart.
 * @example
 * ```ts
 * import { requestHeaders } from "@signet/policy";
 * requestHeaders([["X-Team", "blue"], ["x-team", "red"]]).get("x-team"); // ["blue", "red"]
 * ```
 */
export function requestHeaders(pairs: Iterable<readonly [name: string, value: string]>): RequestHeaders {
  const headers = new Map<string, string | string[]>();
  for (const [name, value] of pairs) {
    const key = lowerCaseAscii(name);
    const known = headers.get(key);
    if (known === undefined) headers.set(key, value);
    else if (typeof known === "string") headers.set(key, [known, value]);
    else known.push(value);
  }
  return headers;
}

/** Only A to Z: other octets are no letters here, whatever Unicode makes of them. */
export function lowerCaseAscii(text: string): string {
  // The engine's own way is the fastest, and where it changes nothing there is nothing to change.
  const lower = text.toLowerCase();
  return lower === text ? text : text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

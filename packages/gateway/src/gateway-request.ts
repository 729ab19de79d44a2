/** Headers in the order of arrival, repeated ones repeated; names in any case. One character per octet, as Node has them. */
export type HeaderList = readonly (readonly [name: string, value: string])[];

/** A request as an adapter has seen it. Text is one character per octet. */
export type GatewayRequest = {
  readonly method: string;
  /** "http" or "https". */
  readonly scheme: string;
  /** The authority as the client sent it, with port; empty when it sent none. */
  readonly host: string;
  /** With the query. */
  readonly path: string;
  /** Without pseudo-headers. */
  readonly headers: HeaderList;
  /** Who sent it. */
  readonly source: GatewayPeer;
  /** Where it came to. */
  readonly destination: GatewayPeer;
  /** The server name of the TLS handshake. */
  readonly sni?: string;
  /** A router has looked at the path already: it cannot be changed any more, only refused. */
  readonly routed?: true;
};

/** One end of the connection, as far as the framework lets it be known. */
export type GatewayPeer = {
  /** The SPIFFE ID of a client certificate that was verified. */
  readonly principal?: string;
  /** An IP address; one of IPv4 is written as IPv4 also on an IPv6 socket. */
  readonly address?: string;
  /** 1 to 65535. */
  readonly port?: number;
};

/** What becomes of a request that is let through: first `remove`, then `add`. */
export type HeaderChanges = {
  /** In lower case; all values of a name go. */
  readonly remove: readonly string[];
  /** Names in lower case; one character per octet. */
  readonly add: HeaderList;
  /** The path to go on with, where it is not the one of the request. */
  readonly path?: string;
};

/** Returns `headers` as they are after `changes`. */
export function changeHeaders(headers: HeaderList, changes: HeaderChanges): HeaderList {
  const removed = new Set(changes.remove);
  return [...headers.filter(([name]) => !removed.has(name.toLowerCase())), ...changes.add];
}

/** `changes`, and those that make Host say whom the request is for, where a URL in the request line has said something else. */
export function withHost({ headers, host }: GatewayRequest, changes: HeaderChanges): HeaderChanges {
  const isOther = headers.some(([name, value]) => name.toLowerCase() === "host" && value !== host);
  if (!isOther) return changes;
  return { ...changes, remove: [...changes.remove, "host"], add: [["host", host], ...changes.add] };
}

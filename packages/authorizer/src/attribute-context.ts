import { isJsonObject, type JsonObject, type MessageReader, malformed, readMessage, tooLarge } from "./proto-json.ts";

/**
 * One request as Envoy tells an authorization service about it. Text is one character per octet, as Node's HTTP servers have
 * it; `filterMetadata` is as in JSON.
 */
export type AttributedRequest = {
  readonly method: string;
  /** "http" or "https"; empty where it is not known. */
  readonly scheme: string;
  /** The authority as the client sent it, with port. */
  readonly host: string;
  /** With the query. */
  readonly path: string;
  /** In their order; names as written. Without `:method`, `:scheme`, `:authority` and `:path`, which are the fields above. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Who sent it. Without `principal` there was no mutual TLS. */
  readonly source: AttributedPeer;
  /** Whom it came to. */
  readonly destination: AttributedPeer;
  /** There exactly where the connection carries no HTTP, and the fields above are empty. */
  readonly tcp?: true;
  /** The server name of the TLS handshake. */
  readonly sni?: string;
  /** `metadata_context.filter_metadata`: what filters before have found out, by filter. */
  readonly filterMetadata: Readonly<Record<string, JsonObject>>;
  /** What the route says of the request. */
  readonly contextExtensions: ReadonlyMap<string, string>;
};

/** One end of a connection. */
export type AttributedPeer = {
  /** `spiffe://<trust domain>/<path>`, or another name that its certificate has. */
  readonly principal?: string;
  /** An IP address. */
  readonly address?: string;
  /** 1 to 65535. */
  readonly port?: number;
};

const maxHeaders = 1_000;
const maxContextExtensions = 1_000;
const maxPort = 65_535;
const maxMetadataDepth = 100;
const maxMetadataValues = 100_000;
/** Largest text of one request, in UTF-16 code units. */
const maxJsonLength = 4_194_304;

/**
 * Returns the request that an `envoy.service.auth.v3.AttributeContext` tells of, from its proto JSON as `JSON.parse` has it.
 *
 * Names of fields are lowerCamelCase or snake_case; what is not needed is passed over. A whole CheckRequest,
 * `{"attributes": {...}}`, is taken as well. Headers come from `header_map` where there is one, which keeps repeated headers
 * apart, else from the map `headers`; pseudo-headers among them, or `host`, stand in for the plain fields where those are
 * absent. At most 1000 headers, 1 MiB of text, and metadata of 100000 values nested 100 deep.
 * @throws AuthorizerError `attributes-malformed` and `attributes-too-large`, naming the field and never its value
 * @example
 * ```ts
 * import { parseAttributeContext } from "@signet/authorizer";
 * const request = parseAttributeContext({
 *   source: { address: { socketAddress: { address: "10.0.0.7", portValue: 41000 } }, principal: "spiffe://cluster.local/ns/foo/sa/web" },
 *   request: { http: { method: "GET", scheme: "http", host: "httpbin.foo:8000", path: "/headers?show=1", headers: { accept: "application/json" } } },
 * });
 * request.source.principal; // "spiffe://cluster.local/ns/foo/sa/web"
 * ```
 */
export function parseAttributeContext(value: unknown): AttributedRequest {
  const root = readMessage(value, "");
  const attributes = root.holds("attributes") ? root.message("attributes") : root;
  const request = attributes.message("request");
  const sni = attributes.message("tlsSession").text("sni");
  return {
    ...readHttpRequest(request.message("http")),
    ...(request.holds("http") ? {} : { tcp: true as const }),
    source: readPeer(attributes.message("source")),
    destination: readPeer(attributes.message("destination")),
    ...(sni === "" ? {} : { sni }),
    filterMetadata: readFilterMetadata(attributes.message("metadataContext")),
    contextExtensions: new Map(attributes.texts("contextExtensions", maxContextExtensions)),
  };
}

/**
 * Returns the request that a JSON text tells of; see `parseAttributeContext`.
 * @throws AuthorizerError as `parseAttributeContext`, and for text that is no JSON or has more than 4194304 characters
 * @example
 * ```ts
 * import { parseAttributeContextText } from "@signet/authorizer";
 * parseAttributeContextText('{"request": {"http": {"method": "GET", "path": "/"}}}').method; // "GET"
 * ```
 */
export function parseAttributeContextText(text: string): AttributedRequest {
  if (text.length > maxJsonLength) throw tooLarge("", `it has more than ${maxJsonLength} characters`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Node's message quotes the text, and there may be a token in it.
    throw malformed("", "it is not JSON");
  }
  return parseAttributeContext(value);
}

type HttpRequest = Pick<AttributedRequest, "method" | "scheme" | "host" | "path" | "headers">;

function readHttpRequest(http: MessageReader): HttpRequest {
  const found = readHeaders(http);
  const pseudo = (name: string): string => found.find(([key]) => key === name)?.[1] ?? "";
  const host = http.text("host") || pseudo(":authority") || (found.find(([key]) => isHost(key))?.[1] ?? "");
  return {
    method: http.text("method") || pseudo(":method"),
    scheme: http.text("scheme") || pseudo(":scheme"),
    host,
    path: withQuery(http.text("path") || pseudo(":path"), http.text("query")),
    headers: found.filter(([name]) => !plainPseudoHeaders.has(name)),
  };
}

const plainPseudoHeaders: ReadonlySet<string> = new Set([":method", ":scheme", ":authority", ":path"]);

function isHost(name: string): boolean {
  return name.toLowerCase() === "host";
}

/** Envoy has the query in the path and leaves the field of that name empty; who writes a request by hand may not. */
function withQuery(path: string, query: string): string {
  return query === "" || path.includes("?") ? path : `${path}?${query}`;
}

function readHeaders(http: MessageReader): AttributedRequest["headers"] {
  const list = http.message("headerMap").messages("headers", maxHeaders).map(readHeader);
  const map = http.texts("headers", maxHeaders);
  return list.length > 0 ? list : map;
}

function readHeader(header: MessageReader): readonly [name: string, value: string] {
  // Envoy sets one of the two, the raw one where a value may be something else than UTF-8.
  const value = header.text("value");
  const raw = header.octets("rawValue");
  return [header.text("key"), raw === "" ? value : raw];
}

function readPeer(peer: MessageReader): AttributedPeer {
  const principal = peer.text("principal");
  const socket = peer.message("address").message("socketAddress");
  const address = socket.text("address");
  const port = socket.integer("portValue", maxPort);
  return {
    ...(principal === "" ? {} : { principal }),
    ...(address === "" ? {} : { address }),
    ...(port === 0 ? {} : { port }),
  };
}

function readFilterMetadata(context: MessageReader): AttributedRequest["filterMetadata"] {
  const members = Object.entries(context.members("filterMetadata"));
  let valuesLeft = maxMetadataValues;
  const measure = (value: unknown, path: string, depthLeft: number): void => {
    valuesLeft -= 1;
    if (valuesLeft < 0) throw tooLarge(path, `metadata has more than ${maxMetadataValues} values`);
    if (typeof value !== "object" || value === null) return;
    if (depthLeft === 0) throw tooLarge(path, `metadata is nested more than ${maxMetadataDepth} deep`);
    for (const item of Object.values(value)) measure(item, path, depthLeft - 1);
  };
  const found = members.map(([filter, value]): readonly [string, JsonObject] => {
    const path = `filterMetadata[${JSON.stringify(filter.slice(0, 100))}]`;
    if (!isJsonObject(value)) throw malformed(path, "it is not an object");
    measure(value, path, maxMetadataDepth);
    return [filter, value];
  });
  return Object.fromEntries(found);
}

import type { AttributedPeer, AttributedRequest } from "@signet/authorizer";
import type { AttributeContext, AttributeContext_Peer } from "@signet/protos/envoy/service/auth/v3/attribute_context";
import type { CheckRequest } from "@signet/protos/envoy/service/auth/v3/external_auth";

/**
 * Returns the request that Envoy asks about, text as one character per octet. Headers come from `header_map` where Envoy sends it
 * (`encode_raw_headers`), which keeps repeated headers apart. A request without HTTP is one of TCP.
 */
export function attributedRequestOf({ attributes }: CheckRequest): AttributedRequest {
  const http = attributes?.request?.http;
  const sni = attributes?.tlsSession?.sni ?? "";
  return {
    method: octetsOf(http?.method ?? ""),
    scheme: octetsOf(http?.scheme ?? ""),
    host: octetsOf(http?.host ?? ""),
    path: octetsOf(http?.path ?? ""),
    headers: headersOf(attributes),
    ...(http === undefined ? { tcp: true as const } : {}),
    source: peerOf(attributes?.source),
    destination: peerOf(attributes?.destination),
    ...(sni === "" ? {} : { sni: octetsOf(sni) }),
    filterMetadata: attributes?.metadataContext?.filterMetadata ?? {},
    contextExtensions: new Map(Object.entries(attributes?.contextExtensions ?? {})),
  };
}

const pseudoHeaders: ReadonlySet<string> = new Set([":method", ":scheme", ":authority", ":path"]);

function headersOf(attributes: AttributeContext | undefined): AttributedRequest["headers"] {
  const http = attributes?.request?.http;
  const list = http?.headerMap?.headers ?? [];
  const headers =
    list.length > 0
      ? list.map(({ key, value, rawValue }) => [octetsOf(key), rawOr(rawValue, value)] as const)
      : Object.entries(http?.headers ?? {}).map(([name, value]) => [octetsOf(name), octetsOf(value)] as const);
  return headers.filter(([name]) => !pseudoHeaders.has(name));
}

function rawOr(raw: Uint8Array, value: string): string {
  return raw.length === 0 ? octetsOf(value) : Buffer.from(raw.buffer, raw.byteOffset, raw.length).toString("latin1");
}

function peerOf(peer: AttributeContext_Peer | undefined): AttributedPeer {
  const principal = peer?.principal ?? "";
  const address = peer?.address?.address;
  const socket = address?.case === "socketAddress" ? address.value : undefined;
  const port = socket?.portSpecifier.case === "portValue" ? socket.portSpecifier.value : undefined;
  return {
    ...(principal === "" ? {} : { principal: octetsOf(principal) }),
    ...(socket === undefined || socket.address === "" ? {} : { address: socket.address }),
    ...(port === undefined ? {} : { port }),
  };
}

/** Text as one character per octet of its UTF-8. */
function octetsOf(text: string): string {
  for (let at = 0; at < text.length; at++) {
    if (text.charCodeAt(at) > 0x7f) return Buffer.from(text, "utf8").toString("latin1");
  }
  return text;
}

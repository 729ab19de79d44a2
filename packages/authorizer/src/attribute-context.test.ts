import { describe, expect, test } from "vitest";
import { parseAttributeContext, parseAttributeContextText } from "./attribute-context.ts";
import { AuthorizerError } from "./errors.ts";

const empty = {
  method: "",
  scheme: "",
  host: "",
  path: "",
  headers: [],
  source: {},
  destination: {},
  filterMetadata: {},
  contextExtensions: new Map(),
};

function inHttp(http: unknown): unknown {
  return { request: { http } };
}

describe("parseAttributeContext reads", () => {
  const full = {
    ...empty,
    method: "GET",
    scheme: "http",
    host: "httpbin.foo:8000",
    path: "/headers?show=1",
    headers: [["accept", "application/json"]],
    source: { principal: "spiffe://cluster.local/ns/foo/sa/web", address: "10.0.0.7", port: 41000 },
    destination: { principal: "spiffe://cluster.local/ns/foo/sa/httpbin", address: "10.0.0.9", port: 8000 },
    sni: "httpbin.foo",
    filterMetadata: { "envoy.filters.http.jwt_authn": { payload: { iss: "i", n: 1 } } },
    contextExtensions: new Map([["workload", "foo/app=httpbin"]]),
  };
  const peer = (name: string, address: string, port: number, style: "camel" | "snake"): unknown => ({
    address:
      style === "camel"
        ? { socketAddress: { address, portValue: port, protocol: "TCP" } }
        : { socket_address: { address, port_value: port } },
    principal: `spiffe://cluster.local/ns/foo/sa/${name}`,
    service: "passed over",
  });
  const http = {
    id: "7",
    method: "GET",
    scheme: "http",
    host: "httpbin.foo:8000",
    path: "/headers?show=1",
    protocol: "HTTP/2",
    headers: { accept: "application/json" },
    size: "12",
    body: "passed over",
  };
  const metadata = { "envoy.filters.http.jwt_authn": { payload: { iss: "i", n: 1 } } };
  const camel = {
    source: peer("web", "10.0.0.7", 41_000, "camel"),
    destination: peer("httpbin", "10.0.0.9", 8_000, "camel"),
    request: { time: "2026-01-01T00:00:00Z", http },
    contextExtensions: { workload: "foo/app=httpbin" },
    metadataContext: { filterMetadata: metadata, typedFilterMetadata: {} },
    tlsSession: { sni: "httpbin.foo" },
    somethingNew: [1],
  };
  const snake = {
    source: peer("web", "10.0.0.7", 41_000, "snake"),
    destination: peer("httpbin", "10.0.0.9", 8_000, "snake"),
    request: { http },
    context_extensions: { workload: "foo/app=httpbin" },
    metadata_context: { filter_metadata: metadata },
    tls_session: { sni: "httpbin.foo" },
  };

  test.each([
    ["names in lowerCamelCase", camel],
    ["names in snake_case", snake],
    ["a whole CheckRequest", { attributes: camel }],
  ])("%s", (_, value) => {
    expect(parseAttributeContext(value)).toEqual(full);
  });

  const list = {
    headers: [
      { key: "x", value: "1" },
      { key: "x", rawValue: "4pyT" },
      { key: "y", raw_value: "" },
    ],
  };
  test.each([
    ["nothing at all", {}, { ...empty, tcp: true }],
    ["null as absent", { source: null, request: { http: null }, tlsSession: { sni: null } }, { ...empty, tcp: true }],
    [
      "a port as text",
      { source: { address: { socketAddress: { portValue: "443" } } } },
      { ...empty, tcp: true, source: { port: 443 } },
    ],
    ["a pipe as no address", { source: { address: { pipe: { path: "@x" } } } }, { ...empty, tcp: true }],
    [
      "header_map before headers",
      inHttp({ headerMap: list, headers: { z: "3" } }),
      {
        ...empty,
        headers: [
          ["x", "1"],
          ["x", "\u00e2\u009c\u0093"],
          ["y", ""],
        ],
      },
    ],
    [
      "header_map in snake_case",
      inHttp({ header_map: { headers: [{ key: "x", value: "1" }] } }),
      { ...empty, headers: [["x", "1"]] },
    ],
    [
      "pseudo-headers where plain fields are absent",
      inHttp({ headers: { ":method": "PUT", ":path": "/p", ":authority": "a", ":scheme": "https", x: "1" } }),
      {
        ...empty,
        method: "PUT",
        path: "/p",
        host: "a",
        scheme: "https",
        headers: [["x", "1"]],
      },
    ],
    [
      "plain fields before pseudo-headers",
      inHttp({
        method: "GET",
        path: "/q",
        host: "b",
        headers: { ":method": "PUT", ":path": "/p", ":authority": "a", Host: "c" },
      }),
      {
        ...empty,
        method: "GET",
        path: "/q",
        host: "b",
        headers: [["Host", "c"]],
      },
    ],
    [
      "the header host where nothing else says it",
      inHttp({ headers: { Host: "c" } }),
      { ...empty, host: "c", headers: [["Host", "c"]] },
    ],
    ["a query beside the path", inHttp({ path: "/p", query: "a=1" }), { ...empty, path: "/p?a=1" }],
    [
      "a query in the path alone where there is one",
      inHttp({ path: "/p?b=2", query: "a=1" }),
      { ...empty, path: "/p?b=2" },
    ],
    [
      "text as octets",
      inHttp({ path: "/é", headers: { "x-é": "✓" } }),
      { ...empty, path: "/\u00c3\u00a9", headers: [["x-\u00c3\u00a9", "\u00e2\u009c\u0093"]] },
    ],
    [
      "a member called __proto__",
      { metadataContext: JSON.parse('{"filterMetadata": {"__proto__": {"a": 1}}}') },
      {
        ...empty,
        tcp: true,
        filterMetadata: JSON.parse('{"__proto__": {"a": 1}}'),
      },
    ],
  ])("%s", (_, value, expected) => {
    expect(parseAttributeContext(value)).toEqual(expected);
  });
});

describe("parseAttributeContext refuses", () => {
  const deep = (depth: number): unknown => (depth === 0 ? 1 : { a: deep(depth - 1) });
  const headers = (count: number): unknown =>
    Object.fromEntries(Array.from({ length: count }, (_, at) => [`x-${at}`, ""]));
  test.each([
    ["text", "x", "attributes-malformed", "the request cannot be used: it is text, and not an object"],
    ["a list", [], "attributes-malformed", "the request cannot be used: it is a list, and not an object"],
    [
      "a number for text",
      inHttp({ method: 7 }),
      "attributes-malformed",
      "request.http.method cannot be used: it is a number, and not text",
    ],
    [
      "text for a message",
      { request: "x" },
      "attributes-malformed",
      "request cannot be used: it is text, and not an object",
    ],
    [
      "a list for a map",
      inHttp({ headers: [] }),
      "attributes-malformed",
      "request.http.headers cannot be used: it is a list, and not an object",
    ],
    [
      "a map for a list",
      inHttp({ headerMap: { headers: {} } }),
      "attributes-malformed",
      "request.http.headerMap.headers cannot be used: it is an object, and not a list",
    ],
    [
      "a value that is no text",
      inHttp({ headers: { "x-a": true } }),
      "attributes-malformed",
      'request.http.headers["x-a"] cannot be used: it is true or false, and not text',
    ],
    [
      "what is in a list",
      { attributes: inHttp({ header_map: { headers: [{ key: 1 }] } }) },
      "attributes-malformed",
      "attributes.request.http.header_map.headers[0].key cannot be used: it is a number, and not text",
    ],
    [
      "a port out of range",
      { source: { address: { socketAddress: { portValue: 65_536 } } } },
      "attributes-malformed",
      "source.address.socketAddress.portValue cannot be used: it is not within 0 and 65535",
    ],
    [
      "a port with a fraction",
      { source: { address: { socketAddress: { portValue: 1.5 } } } },
      "attributes-malformed",
      "not within 0 and 65535",
    ],
    [
      "a field under both names",
      { tlsSession: {}, tls_session: {} },
      "attributes-malformed",
      "tlsSession cannot be used: it is given twice, as tlsSession and as tls_session",
    ],
    [
      "octets that are no base64",
      inHttp({ headerMap: { headers: [{ key: "a", rawValue: "%" }] } }),
      "attributes-malformed",
      "rawValue cannot be used: it is not base64",
    ],
    [
      "metadata that is no object",
      { metadataContext: { filterMetadata: { f: 1 } } },
      "attributes-malformed",
      'filterMetadata["f"] cannot be used: it is not an object',
    ],
    ["too many headers", inHttp({ headers: headers(1_001) }), "attributes-too-large", "it has more than 1000 entries"],
    [
      "too much text",
      inHttp({ headers: { a: "x".repeat(600_000), b: "é".repeat(300_000) } }),
      "attributes-too-large",
      "more than 1048576 octets",
    ],
    [
      "metadata nested too deeply",
      { metadataContext: { filterMetadata: { f: deep(101) } } },
      "attributes-too-large",
      "nested more than 100 deep",
    ],
    [
      "too much metadata",
      { metadataContext: { filterMetadata: { f: { a: Array.from({ length: 100_000 }, () => 0) } } } },
      "attributes-too-large",
      "more than 100000 values",
    ],
  ])("%s", (_, value, code, message) => {
    const error = caught(() => parseAttributeContext(value));
    expect(error.code).toBe(code);
    expect(error.message).toContain(message);
  });

  test("what is at the limits not", () => {
    parseAttributeContext(inHttp({ headers: headers(1_000) }));
    parseAttributeContext({ metadataContext: { filterMetadata: { f: deep(100) } } });
  });

  test("text that is no JSON, without repeating it", () => {
    const error = caught(() => parseAttributeContextText('{"authorization": "Bearer secret'));
    expect(error.code).toBe("attributes-malformed");
    expect(error.message).toBe("the request cannot be used: it is not JSON");
  });

  test("text that is too long, before it is looked at", () => {
    expect(caught(() => parseAttributeContextText("[".repeat(4_194_305))).code).toBe("attributes-too-large");
  });
});

function caught(run: () => unknown): AuthorizerError {
  try {
    run();
  } catch (error) {
    if (error instanceof AuthorizerError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { CheckRequestSchema } from "@signet/protos/envoy/service/auth/v3/external_auth";
import { describe, expect, test } from "vitest";
import { attributedRequestOf } from "./check-request.ts";

type Attributes = NonNullable<MessageInitShape<typeof CheckRequestSchema>["attributes"]>;

function read(attributes: Attributes) {
  return attributedRequestOf(create(CheckRequestSchema, { attributes }));
}

function peer(address: string, port: number, principal = ""): Attributes["source"] {
  const value = { address, portSpecifier: { case: "portValue" as const, value: port } };
  return { principal, address: { address: { case: "socketAddress", value } } };
}

describe("a question of Envoy's", () => {
  test("is read with all that decides it", () => {
    const request = read({
      source: peer("10.0.0.7", 41_000, "spiffe://cluster.local/ns/foo/sa/web"),
      destination: peer("10.0.0.9", 8_000),
      request: {
        http: {
          method: "GET",
          scheme: "http",
          host: "httpbin",
          path: "/x?y=1",
          headers: { accept: "a,b", ":path": "/x?y=1" },
        },
      },
      tlsSession: { sni: "httpbin.foo" },
      contextExtensions: { workload: "foo/app=httpbin" },
      metadataContext: {
        filterMetadata: { "envoy.filters.http.jwt_authn": { payload: { iss: "i", list: [1, true, null] } } },
      },
    });
    expect(request).toEqual({
      method: "GET",
      scheme: "http",
      host: "httpbin",
      path: "/x?y=1",
      headers: [["accept", "a,b"]],
      source: { principal: "spiffe://cluster.local/ns/foo/sa/web", address: "10.0.0.7", port: 41_000 },
      destination: { address: "10.0.0.9", port: 8_000 },
      sni: "httpbin.foo",
      filterMetadata: { "envoy.filters.http.jwt_authn": { payload: { iss: "i", list: [1, true, null] } } },
      contextExtensions: new Map([["workload", "foo/app=httpbin"]]),
    });
  });

  test("has its repeated headers apart where Envoy sends them so, as octets", () => {
    const headers = [
      { key: "x", rawValue: Buffer.from("é") },
      { key: "x", value: "é" },
      { key: ":method", rawValue: Buffer.from("PUT") },
      { key: "empty" },
      { key: "raw", rawValue: Uint8Array.of(0xff, 0x00) },
    ];
    const request = read({
      request: { http: { method: "GET", path: "/é", headerMap: { headers }, headers: { passed: "over" } } },
    });
    expect(request.headers).toEqual([
      ["x", "\u00c3\u00a9"],
      ["x", "\u00c3\u00a9"],
      ["empty", ""],
      ["raw", "\u00ff\u0000"],
    ]);
    expect(request.path).toBe("/\u00c3\u00a9");
    expect(request.method).toBe("GET");
  });

  test("is one of TCP without HTTP, and of nobody without a peer", () => {
    expect(read({})).toMatchObject({ tcp: true, source: {}, destination: {}, headers: [] });
    expect(attributedRequestOf(create(CheckRequestSchema, {}))).toMatchObject({ tcp: true });
    expect(read({ request: { http: {} } }).tcp).toBeUndefined();
    const pipe = { address: { address: { case: "pipe" as const, value: { path: "/run/a.sock" } } } };
    expect(read({ source: pipe }).source).toEqual({});
  });
});

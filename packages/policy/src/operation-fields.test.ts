import { describe, expect, test } from "vitest";
import { ruleMatches } from "./testing/decide-with.ts";

describe("3.5 operations", () => {
  test.each([
    ["hosts", "example.com", { host: "example.com" }, true],
    ["hosts", "example.com", { host: "EXAMPLE.com" }, true],
    ["hosts", "EXAMPLE.com", { host: "example.com" }, true],
    ["hosts", "example.com", { host: "example.com:8080" }, false],
    ["hosts", "example.com:*", { host: "example.com:8080" }, true],
    ["hosts", "*.example.com", { host: "a.Example.com" }, true],
    ["hosts", "*.example.com", { host: "example.com" }, false],
    ["hosts", "*.example.com:*", { host: "a.example.com:80" }, false],
    ["hosts", "*.example.com:*", { host: "a.example.com:*" }, true],
    ["hosts", "*", { host: "" }, true],
    ["hosts", "*", { host: undefined }, false],
    ["hosts", "\u00c4", { host: "\u00c3\u00a4" }, false],
    ["methods", "GET", { method: "GET" }, true],
    ["methods", "get", { method: "GET" }, false],
    ["methods", "P*", { method: "PATCH" }, true],
    ["methods", "*T", { method: "PUT" }, true],
    ["methods", "*", { method: "" }, true],
    ["paths", "/a", { path: "/a" }, true],
    ["paths", "/a", { path: "/a/" }, false],
    ["paths", "/a", { path: "/A" }, false],
    ["paths", "/a", { path: "/a?b=/c" }, true],
    ["paths", "/a", { path: "/a#b" }, true],
    ["paths", "/a*", { path: "/abc" }, true],
    ["paths", "/a/*", { path: "/a" }, false],
    ["paths", "/a/*", { path: "/a/" }, true],
    ["paths", "*/a", { path: "/b/a" }, true],
    ["paths", "*.jpg", { path: "/b?x.jpg" }, false],
    ["paths", "*", { path: "/" }, true],
    ["paths", "*", { path: "" }, false],
    ["paths", "*", { path: "?a" }, false],
    ["paths", "*", { path: "/a\nb" }, false],
    ["paths", "*", { path: "/\xff" }, true],
    ["paths", "*", { path: undefined }, false],
    ["paths", "*a*", { path: "/xa*" }, true],
    ["paths", "*a*", { path: "/xab" }, false],
    ["paths", "/pkg.Service/Method", { path: "/pkg.Service/Method", method: "POST" }, true],
    ["paths", "/\u00fc", { path: "/\u00c3\u00bc" }, true],
    ["ports", "80", { destinationPort: 80 }, true],
    ["ports", "80", { destinationPort: 8080 }, false],
    ["ports", "0", { destinationPort: 0 }, true],
    ["ports", "65535", { destinationPort: 65535 }, true],
    ["ports", "80", {}, false],
  ])("%s %s and %j: %s", (field, value, request, matches) => {
    const notField = `not${field.charAt(0).toUpperCase()}${field.slice(1)}`;
    const parts = Object.fromEntries(Object.entries(request));
    expect(ruleMatches({ to: [{ [field]: [value] }] }, parts)).toBe(matches);
    expect(ruleMatches({ to: [{ [notField]: [value] }] }, parts)).toBe(!matches);
  });
});

describe("3.8 path templates", () => {
  test.each([
    ["/allow/admin/{**}", "/allow/admin/", true],
    ["/allow/admin/{**}", "/allow/admin", false],
    ["/allow/admin/{**}", "/allow/admin?x=y", false],
    ["/allow/admin/{**}", "/allow/admin/foo/t.txt", true],
    ["/allow/admin/{**}", "/allow/user/", false],
    ["/foo/{*}/bar/{**}", "/foo/buzz/bar/bat", true],
    ["/foo/{*}/bar/{**}", "/foo//bar/bat.txt", false],
    ["/foo/{*}/bar/{**}", "/foo/bar/bat.txt", false],
    ["/store/{**}/cart", "/store//cart", true],
    ["/store/{**}/cart", "/store/cart", false],
    ["/store/{**}/cart", "/store/foo/bar/cart", true],
    ["/store/{**}/cart", "/store/foo/cart/bar", false],
    ["/foo/{**}/", "/foo/bar/baz.txt", false],
    ["/foo/{**}/", "/foo/bar/baz/", true],
    ["/{*}", "/", false],
    ["/{*}", "/a", true],
    ["/{*}", "/a/b", false],
    ["/{*}/", "/a/", true],
    ["/{**}", "/", true],
    ["/{**}", "/a/b/c", true],
    ["/a/{*}", "/a/b|c", false],
    ["/a/{**}", '/a/b"c', false],
    ["/a/{**}", "/a/\u00c3\u00bc", false],
    ["/a/{*}", "/a/b%2Fc;d=e", true],
  ])("%s and %s: %s", (value, path, matches) => {
    expect(ruleMatches({ to: [{ paths: [value] }] }, { path })).toBe(matches);
    expect(ruleMatches({ to: [{ notPaths: [value] }] }, { path })).toBe(!matches);
  });
});

describe("3.7 string matches of headers", () => {
  test.each([
    ["*", "", true],
    ["*", undefined, false],
    ["*x", "ax", true],
    ["x*", "xa", true],
    ["*a*", "ba*", true],
    ["*a*", "ba", false],
    ["a*b", "aXb", false],
    ["a*b", "a*b", true],
    ["x", "X", false],
    ["", "", true],
    ["blue,red", "blue,red", true],
    ["red", "blue,red", false],
  ])("%s and %s: %s", (value, header, matches) => {
    const pairs = header === undefined ? [] : [["X-Team", header] as const];
    const key = "request.headers[x-TEAM]";
    expect(ruleMatches({ when: [{ key, values: [value] }] }, { pairs })).toBe(matches);
    expect(ruleMatches({ when: [{ key, notValues: [value] }] }, { pairs })).toBe(!matches);
  });

  const pairs = [
    ["x-team", "blue"],
    ["x-team", "red"],
  ] as const;
  test.each([
    ["each", "red", true],
    ["each", "blue,red", false],
    ["each", "*ed", true],
    ["joined", "red", false],
    ["joined", "blue,red", true],
    ["joined", "blue*", true],
  ] as const)("CVE-2026-26308, headers %s: %s among blue and red: %s", (headerMatching, value, matches) => {
    const rule = { when: [{ key: "request.headers[x-team]", values: [value] }] };
    expect(ruleMatches(rule, { pairs }, { headerMatching })).toBe(matches);
    const negated = { when: [{ key: "request.headers[x-team]", notValues: [value] }] };
    expect(ruleMatches(negated, { pairs }, { headerMatching })).toBe(!matches);
  });

  test.each([
    [":path", "/a?b", true],
    [":path", "/a", false],
    [":method", "GET", true],
    [":authority", "httpbin.foo", true],
    ["host", "httpbin.foo", true],
    [":scheme", "https", true],
  ])("3.6 pseudo-header %s and %s: %s", (name, value, matches) => {
    const rule = { when: [{ key: `request.headers[${name}]`, values: [value] }] };
    expect(ruleMatches(rule, { path: "/a?b", scheme: "https" })).toBe(matches);
  });
});

describe("3.6 SNI and metadata", () => {
  test.each([
    ["shop.example", "shop.example", true],
    ["*.example", "shop.example", true],
    ["*", "", false],
    ["*", undefined, false],
  ])("connection.sni %s and %s: %s", (value, sni, matches) => {
    const request = sni === undefined ? {} : { sni };
    expect(ruleMatches({ when: [{ key: "connection.sni", values: [value] }] }, request)).toBe(matches);
  });

  test.each([
    ["v", "v", true],
    ["v*", "value", true],
    ["v", ["v"], false],
    ["[v]", ["u", "v"], true],
    ["[v*]", ["u", "value"], true],
    ["[v]", "v", false],
    ["[v]", "[v]", false],
    ["[[v]]", ["v"], true],
    ["v", 1, false],
    ["*", undefined, false],
  ])("experimental.envoy.filters %s and %j: %s", (value, metadata, matches) => {
    const rule = { when: [{ key: "experimental.envoy.filters.http.foo[k]", values: [value] }] };
    const filterMetadata = { "envoy.filters.http.foo": metadata === undefined ? {} : { k: metadata } };
    expect(ruleMatches(rule, { filterMetadata })).toBe(matches);
  });
});

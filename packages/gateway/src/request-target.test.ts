import { describe, expect, test } from "vitest";
import { parseRequestTarget } from "./request-target.ts";

describe("parseRequestTarget", () => {
  test.each([
    ["GET", "/cart?a=1", ["shop.example"], { host: "shop.example", path: "/cart?a=1" }],
    ["GET", "/", ["[2001:db8::1]:8443"], { host: "[2001:db8::1]:8443", path: "/" }],
    ["GET", "/", [], { host: "", path: "/" }],
    ["OPTIONS", "*", ["shop.example"], { host: "shop.example", path: "*" }],
    ["GET", "http://bank.example:81/a?b", ["shop.example"], { host: "bank.example:81", path: "/a?b" }],
    ["GET", "HTTPS://bank.example", ["shop.example"], { host: "bank.example", path: "/" }],
    ["GET", "http://bank.example?b=/", ["shop.example"], { host: "bank.example", path: "/?b=/" }],
    ["GET", "//bank.example/a", ["shop.example"], { host: "shop.example", path: "//bank.example/a" }],
  ])("%s %s of %j asks for %j", (method, target, hosts, asked) => {
    expect(parseRequestTarget({ method, target }, hosts)).toEqual(asked);
  });

  test.each([
    ["two Host headers", "/", ["a.example", "b.example"]],
    ["two Host headers that are the same", "/", ["a.example", "a.example"]],
    ["user information in Host", "/", ["user@a.example"]],
    ["a path in Host", "/", ["a.example/admin"]],
    ["a list in Host", "/", ["a.example, b.example"]],
    ["a space in Host", "/", ["a.example b.example"]],
    ["a quote in Host", "/", ['a.example"']],
    ["user information in the target", "http://user@a.example/", ["a.example"]],
    ["a target without an authority", "http:///admin", ["a.example"]],
    ["a fragment", "/cart#/admin", ["a.example"]],
    ["a fragment in an authority", "http://a.example#@b.example/", ["a.example"]],
    ["another scheme", "file:///etc/passwd", ["a.example"]],
    ["no path", "cart", ["a.example"]],
    ["nothing", "", ["a.example"]],
    ["an asterisk without OPTIONS", "*", ["a.example"]],
    ["a backslash in an authority", "http://a.example\\@b.example/", ["a.example"]],
  ])("takes no request with %s", (_what, target, hosts) => {
    expect(parseRequestTarget({ method: "GET", target }, hosts)).toBeUndefined();
  });
});

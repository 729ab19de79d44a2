import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatHostPort, parseHostPort } from "./host-port.ts";

describe("parseHostPort", () => {
  it.each([
    [":15012", "::", 15012, "[::]:15012"],
    ["0.0.0.0:0", "0.0.0.0", 0, "0.0.0.0:0"],
    ["127.0.0.1:65535", "127.0.0.1", 65535, "127.0.0.1:65535"],
    ["[::1]:80", "::1", 80, "[::1]:80"],
    ["[fe80::1]:80", "fe80::1", 80, "[fe80::1]:80"],
    ["istiod.istio-system.svc:15012", "istiod.istio-system.svc", 15012, "istiod.istio-system.svc:15012"],
    ["istiod.istio-system.svc.:15012", "istiod.istio-system.svc.", 15012, "istiod.istio-system.svc.:15012"],
    ["my_host:1", "my_host", 1, "my_host:1"],
  ])("reads %s", (text, host, port, printed) => {
    expect(parseHostPort(text)).toEqual({ host, port });
    expect(formatHostPort({ host, port })).toBe(printed);
  });

  it.each([
    "",
    "localhost",
    "15012",
    "localhost:",
    "localhost:65536",
    "localhost:-1",
    "localhost:+1",
    "localhost:1a",
    "localhost:0x50",
    "localhost:http",
    "::1:80",
    "[::1]80",
    "[::1:80",
    "[127.0.0.1]:80",
    "[localhost]:80",
    "[]:80",
    "local host:80",
    "http://localhost:80",
    "user@localhost:80",
    "-x:80",
    `${"a".repeat(300)}:80`,
  ])("refuses %j", (text) => {
    expect(() => parseHostPort(text)).toThrow(expect.objectContaining({ code: "host-port-malformed" }));
  });

  it("reads back whatever it prints", () => {
    const hosts = fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain());
    fc.assert(
      fc.property(hosts, fc.integer({ min: 0, max: 65535 }), (host, port) => {
        expect(parseHostPort(formatHostPort({ host, port }))).toEqual({ host, port });
      }),
    );
  });
});

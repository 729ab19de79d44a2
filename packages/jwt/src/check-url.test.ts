import { describe, expect, it } from "vitest";
import { checkUrl, hostOf } from "./check-url.ts";
import { JwtError } from "./errors.ts";
import { isLoopbackAddress, isRefusedAddress } from "./refused-addresses.ts";

function codeOf(text: string, allowHttp: boolean): string {
  try {
    return checkUrl(text, { what: "JWKS URI", allowHttp }).protocol;
  } catch (error) {
    if (error instanceof JwtError) return error.code;
    throw error;
  }
}

describe("checkUrl", () => {
  it.each([
    ["https://issuer.example/jwks", "https:", "https:"],
    ["https://10.0.0.1:6443/openid/v1/jwks", "https:", "https:"],
    ["http://issuer.example/jwks", "url-refused", "http:"],
    ["http://10.0.0.1/jwks", "url-refused", "http:"],
    ["http://127.0.0.1:8080/jwks", "http:", "http:"],
    ["http://127.9.9.9/jwks", "http:", "http:"],
    ["http://[::1]:8080/jwks", "http:", "http:"],
    ["http://localhost/jwks", "http:", "http:"],
    ["http://localhost.example/jwks", "url-refused", "http:"],
    ["http://127.0.0.1.example/jwks", "url-refused", "http:"],
    ["", "url-refused", "url-refused"],
    ["issuer.example", "url-refused", "url-refused"],
    ["file:///etc/passwd", "url-refused", "url-refused"],
    ["ftp://127.0.0.1/jwks", "url-refused", "url-refused"],
    ["https://user:password@issuer.example/", "url-refused", "url-refused"],
    ["https://169.254.169.254/latest", "address-refused", "address-refused"],
    ["https://169.254.0.1/", "address-refused", "address-refused"],
    ["http://169.254.169.254/latest", "url-refused", "address-refused"],
    ["https://0xa9fea9fe/", "address-refused", "address-refused"],
    ["https://2852039166/", "address-refused", "address-refused"],
    ["https://[::ffff:169.254.169.254]/", "address-refused", "address-refused"],
    ["https://[fe80::1]/", "address-refused", "address-refused"],
    ["https://[fd00:ec2::254]/", "address-refused", "address-refused"],
    ["https://[64:ff9b::169.254.169.254]/", "address-refused", "address-refused"],
    ["https://[fd00:ec2::253]/", "https:", "https:"],
  ])("takes %j as %s, and as %s when http is allowed", (text, strict, loose) => {
    expect([codeOf(text, false), codeOf(text, true)]).toEqual([strict, loose]);
  });

  it("keeps a password out of its message", () => {
    expect(() => checkUrl("https://user:hunter2@a.example/", { what: "JWKS URI", allowHttp: false })).toThrow(
      'JWKS URI for host "a.example" carries user info',
    );
  });

  it("takes the brackets off an IPv6 host", () => {
    expect(hostOf(new URL("https://[::1]:1/"))).toBe("::1");
  });
});

describe("addresses", () => {
  it.each([
    ["127.0.0.1", false, true],
    ["::1", false, true],
    ["::ffff:127.0.0.1", false, true],
    ["10.1.2.3", false, false],
    ["192.168.1.1", false, false],
    ["fd00::1", false, false],
    ["169.254.169.254", true, false],
    ["::ffff:a9fe:a9fe", true, false],
    ["febf::1", true, false],
    ["fec0::1", false, false],
    ["100.100.100.200", true, false],
    ["168.63.129.16", true, false],
    ["not an address", true, false],
    ["", true, false],
  ])("%s: refused %s, loopback %s", (address, refused, loopback) => {
    expect([isRefusedAddress(address), isLoopbackAddress(address)]).toEqual([refused, loopback]);
  });
});

import { describe, expect, it } from "vitest";
import { createAddressGuard } from "./address-guard.ts";
import { checkUrl, hostOf } from "./check-url.ts";
import { JwtError } from "./errors.ts";

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
    ["https://[fd00:ec3::254]/", "https:", "https:"],
  ])("takes %j as %s, and as %s when http is allowed", (text, strict, loose) => {
    expect([codeOf(text, false), codeOf(text, true)]).toEqual([strict, loose]);
  });

  it("keeps a password out of its message", () => {
    expect(() => checkUrl("https://user:hunter2@a.example/", { what: "JWKS URI", allowHttp: false })).toThrow(
      'JWKS URI for host "a.example" carries user info',
    );
  });

  it("refuses an address that the rules refuse", () => {
    const guard = createAddressGuard({ refusedCidrs: ["192.0.2.0/24"] });
    const rules = { what: "JWKS URI", allowHttp: false, guard };
    expect(() => checkUrl("https://192.0.2.7/", rules)).toThrow(
      'JWKS URI "https://192.0.2.7/" is in a range that is refused',
    );
    expect(checkUrl("https://192.0.3.7/", rules).host).toBe("192.0.3.7");
  });

  it("takes the brackets off an IPv6 host", () => {
    expect(hostOf(new URL("https://[::1]:1/"))).toBe("::1");
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { quoteVault } from "./errors.ts";
import { refusalOf } from "./refusal.ts";

describe("refusalOf", () => {
  it.each<[number, string, string]>([
    [400, "unknown role: x", "refused"],
    [400, "cannot satisfy request, as TTL would result in notAfter beyond the expiration", "refused"],
    [403, "1 error occurred:\n\t* permission denied\n\n", "permission-denied"],
    [403, "2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n", "permission-denied"],
    [404, "", "not-found"],
    [405, "unsupported operation", "refused"],
    [413, "http: request body too large", "refused"],
    [408, "", "unavailable"],
    [412, "required index state not present", "unavailable"],
    [429, 'request path "pki/sign/signet": rate limit quota exceeded', "rate-limited"],
    [472, "", "standby"],
    [473, "", "standby"],
    [500, "local node not active but active cluster node not found", "standby"],
    [500, "1 error occurred:\n\t* error fetching CA certificate\n\n", "unavailable"],
    [501, "Vault is not initialized", "sealed"],
    [502, "", "unavailable"],
    [503, "Vault is sealed", "sealed"],
    [503, "no active Vault instance found", "standby"],
    [503, "overloaded, try again later", "unavailable"],
    [302, "", "unavailable"],
  ])("reads %i %j as %s", (status, words, code) => {
    const body = words === "" ? undefined : { errors: [words] };
    expect(refusalOf({ status, headers: {}, body })).toMatchObject({ code, status });
  });

  it("tells Vault's own first sentence, on one line", () => {
    const body = { errors: ["1 error occurred:\n\t* permission denied\n\n", "second"] };
    expect(refusalOf({ status: 403, headers: {}, body }).message).toBe("1 error occurred: * permission denied");
  });

  it.each([[{}], [{ errors: [] }], [{ errors: "text" }], [{ errors: [7] }], ["text"], [null], [[]]])(
    "does without words in %j",
    (body) => {
      expect(refusalOf({ status: 500, headers: {}, body }).message).toBe("Vault answered 500");
    },
  );

  it.each([
    ["3", 3000],
    ["0", 0],
    ["100000", 60_000],
    ["-1", undefined],
    ["1.5", undefined],
    ["Wed, 21 Oct 2026 07:28:00 GMT", undefined],
    ["9".repeat(40), undefined],
    [undefined, undefined],
  ])("reads Retry-After %j as %j ms", (value, expected) => {
    const headers = value === undefined ? {} : { "retry-after": value };
    expect(refusalOf({ status: 429, headers, body: undefined }).retryAfterMs).toBe(expected);
  });
});

describe("quoteVault", () => {
  it.each([
    ["token hvs.CAESIJzvT0ck3nT0ck3nT0ck3n is bad", "token [not shown] is bad"],
    ["token s.0123456789abcdefghijklmn is bad", "token [not shown] is bad"],
    ["batch hvb.AAAAAQJ and b.AAAAAQIabcdef", "batch hvb.AAAAAQJ and [not shown]"],
    ["jwt eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln of x", "jwt [not shown] of x"],
    ["-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----", "[not shown]"],
  ])("shows no secret of %j", (text, shown) => {
    expect(quoteVault(text)).toBe(shown);
  });

  it("is short, printable and on one line, whatever the text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 3000 }), (text) => {
        expect(quoteVault(text)).toMatch(/^[\x20-\x7e]{0,203}$/);
      }),
    );
  });
});

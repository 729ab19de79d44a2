import { BlockList, isIP } from "node:net";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ipAddressText, parseIpAddress } from "./ip-address.ts";

describe("parseIpAddress", () => {
  it.each([
    ["192.0.2.1", "c0000201"],
    ["::", "00000000000000000000000000000000"],
    ["::1", "00000000000000000000000000000001"],
    ["2001:db8::1", "20010db8000000000000000000000001"],
    ["1:2:3:4:5:6:7:8", "00010002000300040005000600070008"],
    ["::ffff:192.0.2.1", "c0000201"],
    ["::FFFF:c000:0201", "c0000201"],
    ["64:ff9b::192.0.2.1", "0064ff9b0000000000000000c0000201"],
    ["fe80::", "fe800000000000000000000000000000"],
  ])("reads %s", (text, expected) => {
    expect(parseIpAddress(text)?.toHex()).toBe(expected);
  });

  it.each([
    "",
    "192.0.2",
    "192.0.2.256",
    "192.0.2.01",
    "192.0.2.1 ",
    "0x7f.0.0.1",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1::2::3",
    ":::",
    ":1::2",
    "1:",
    "12345::",
    "g::",
    "fe80::1%eth0",
    "192.0.2.1::",
    "::192.0.2",
    "example.com",
  ])("refuses %j", (text) => {
    expect(parseIpAddress(text)).toBeUndefined();
  });

  it("property: accepts what node:net accepts, zones aside", () => {
    const near = fc.array(fc.constantFrom(..."0123456789abcdf:.:::".split("")), { maxLength: 24 });
    fc.assert(
      fc.property(
        fc.oneof(
          fc.ipV4(),
          fc.ipV6(),
          near.map((parts) => parts.join("")),
        ),
        (text) => {
          expect(parseIpAddress(text) !== undefined).toBe(isIP(text) !== 0);
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe("ipAddressText (RFC 5952 section 4)", () => {
  it.each([
    ["c0000201", "192.0.2.1"],
    ["00000000000000000000000000000000", "::"],
    ["20010db8000000000000000000000001", "2001:db8::1"],
    ["20010db8000000010001000100010001", "2001:db8:0:1:1:1:1:1"],
    ["20010db8000000000001000000000001", "2001:db8::1:0:0:1"],
    ["00010000000000000000000000000000", "1::"],
  ])("writes %s", (hex, expected) => {
    expect(ipAddressText(Uint8Array.fromHex(hex))).toBe(expected);
  });

  it("knows 4 and 16 octets only", () => {
    expect(ipAddressText(new Uint8Array(5))).toBeUndefined();
  });

  it("property: text and octets agree, also in the eyes of node:net", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (octets) => {
        const text = ipAddressText(octets) ?? "";
        const only = new BlockList();
        only.addAddress(octets.toHex().match(/.{4}/g)?.join(":") ?? "", "ipv6");
        expect(only.check(text, "ipv6")).toBe(true);
      }),
    );
  });
});

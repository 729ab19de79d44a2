import { describe, expect, it } from "vitest";
import { createAddressGuard, isLoopbackAddress } from "./address-guard.ts";
import type { JwtError } from "./errors.ts";

describe("createAddressGuard", () => {
  it.each([
    ["127.0.0.1", false, true],
    ["127.9.9.9", false, true],
    ["::1", false, true],
    ["::ffff:127.0.0.1", false, true],
    ["0.0.0.0", false, true],
    ["::", false, true],
    ["10.1.2.3", false, true],
    ["172.31.0.1", false, true],
    ["172.32.0.1", false, false],
    ["192.168.1.1", false, true],
    ["100.64.0.1", false, true],
    ["fd00::1", false, true],
    ["fec0::1", false, true],
    ["64:ff9b::10.0.0.1", false, true],
    ["2002:c0a8:101::1", false, true],
    ["192.0.2.1", false, false],
    ["2001:db8::1", false, false],
    ["169.254.169.254", true, true],
    ["169.254.0.1", true, true],
    ["169.253.0.1", false, false],
    ["::ffff:a9fe:a9fe", true, true],
    ["::ffff:0:a9fe:a9fe", true, true],
    ["::a9fe:a9fe", true, true],
    ["64:ff9b::a9fe:a9fe", true, true],
    ["64:ff9b::100.100.100.200", true, true],
    ["2002:a9fe:a9fe::", true, true],
    ["fe80::1", true, true],
    ["fe80::1%eth0", true, true],
    ["febf::1", true, true],
    ["fd00:ec2::254", true, true],
    ["fd00:ec2:1::1", true, true],
    ["100.100.100.200", true, true],
    ["168.63.129.16", true, true],
    ["192.0.0.192", true, true],
    ["not an address", true, true],
    ["", true, true],
  ])("%s: refused %s, and without private addresses %s", (address, always, strictly) => {
    expect(createAddressGuard()(address) !== undefined).toBe(always);
    expect(createAddressGuard({ refusePrivateAddresses: true })(address) !== undefined).toBe(strictly);
  });

  it("refuses further ranges, in every form of an address in them", () => {
    const guard = createAddressGuard({ refusedCidrs: ["192.0.2.0/24", "2001:db8::/32", "198.51.100.7"] });
    const refused = ["192.0.2.255", "::ffff:192.0.2.1", "64:ff9b::192.0.2.1", "2001:db8:1::1", "198.51.100.7"];
    expect(refused.filter((address) => guard(address) === undefined)).toEqual([]);
    const allowed = ["192.0.3.0", "2001:db9::1", "198.51.100.8", "10.0.0.1"];
    expect(allowed.filter((address) => guard(address) !== undefined)).toEqual([]);
  });

  it.each([
    "",
    "x",
    "192.0.2.0/33",
    "192.0.2.0/",
    "192.0.2.0/-1",
    "192.0.2.0/1e1",
    "::/129",
    "192.0.2",
    "fe80::1%a/64",
  ])("does not take %j for a range", (cidr) => {
    expect(() => createAddressGuard({ refusedCidrs: [cidr] })).toThrow(
      expect.objectContaining({ code: "address-range-invalid" } satisfies Partial<JwtError>),
    );
  });
});

describe("isLoopbackAddress", () => {
  it.each([
    ["127.0.0.1", true],
    ["127.255.0.1", true],
    ["::1", true],
    ["::ffff:127.0.0.1", true],
    ["0.0.0.0", false],
    ["10.0.0.1", false],
    ["localhost", false],
    ["", false],
  ])("%s: %s", (address, expected) => {
    expect(isLoopbackAddress(address)).toBe(expected);
  });
});

import { describe, expect, it } from "vitest";
import { parseCidrList } from "./cidr-list.ts";

describe("parseCidrList", () => {
  const list = parseCidrList(["10.1.0.0/16", "192.0.2.7/32", "2001:db8:1::/48", "203.0.113.129/25"]);

  it.each<[string, boolean]>([
    ["10.1.0.0:1", true],
    ["10.1.255.255:65535", true],
    ["10.2.0.0:1", false],
    ["192.0.2.7:1", true],
    ["192.0.2.8:1", false],
    // The bits behind the prefix do not count.
    ["203.0.113.128:1", true],
    ["203.0.113.127:1", false],
    ["[2001:db8:1::7]:1", true],
    ["[2001:db8:2::7]:1", false],
    ["[::ffff:10.1.2.3]:1", true],
    ["[::ffff:10.2.2.3]:1", false],
    ["127.0.0.1:1", false],
    ["[::1]:1", false],
    ["unix", false],
    ["10.1.0.1", false],
    ["10.1.0.1:", false],
    ["10.1.0.1:80:80", false],
    ["gateway.example:80", false],
    ["", false],
  ])("peer %s: %s", (peer, expected) => {
    expect(list.includesPeer(peer)).toBe(expected);
  });

  it("holds nobody when it is empty", () => {
    expect(parseCidrList([]).includesPeer("127.0.0.1:1")).toBe(false);
  });

  it.each([
    ...["10.0.0.1", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "10.0.0.0/8/8", "10.0.0/8", "::/129", "gateway/8"],
    ...["fe80::1%eth0/64", "10.0.0.0/ 8", "10.0.0.0/08x", "/8", "0.0.0.0/0", "::/0"],
  ])("refuses %j", (cidr) => {
    expect(() => parseCidrList(["10.0.0.0/8", cidr])).toThrow(JSON.stringify(cidr));
  });
});

import { describe, expect, test } from "vitest";
import { ruleMatches } from "./testing/decide-with.ts";

type SourceRow = readonly [field: string, value: string, peer: string | undefined, matches: boolean];

const bar = "spiffe://cluster.local/ns/foo/sa/bar";

/** 3.4: one value of a field, one peer. */
const rows: readonly SourceRow[] = [
  ["principals", "cluster.local/ns/foo/sa/bar", bar, true],
  ["principals", "cluster.local/ns/foo/sa/bar", `${bar}x`, false],
  ["principals", "cluster.local/ns/foo/sa/bar", "cluster.local/ns/foo/sa/bar", false],
  ["principals", "cluster.local/ns/foo/sa/BAR", bar, false],
  ["principals", "spiffe://cluster.local/ns/foo/sa/bar", bar, false],
  ["principals", "cluster.local/ns/foo/*", bar, true],
  ["principals", "cluster.local/ns/fo*", bar, true],
  ["principals", "cluster.local/ns/foo/*", "spiffe://cluster.local/ns/foobar/sa/bar", false],
  ["principals", "*/sa/bar", bar, true],
  ["principals", "*/sa/bar", "https://x/sa/bar", false],
  ["principals", "*bar", "spiffe://bar", true],
  ["principals", "*/sa/bar", "spiffe://a\nb/sa/bar", false],
  ["principals", "*.r", bar, false],
  ["principals", "*", bar, true],
  ["principals", "*", "CN=anything", true],
  ["principals", "*", "", false],
  ["principals", "*", "a\nb", false],
  ["principals", "*", "\xff", true],
  ["principals", "*", "\u00c3\u00bc", true],
  ["principals", "*", undefined, false],
  ["principals", "a*b*", "spiffe://a*bc", true],
  ["namespaces", "foo", bar, true],
  ["namespaces", "foo", "spiffe://cluster.local/ns/foo", false],
  ["namespaces", "foo", "spiffe://cluster.local/ns/foo/", true],
  ["namespaces", "fo", bar, false],
  ["namespaces", "f*", bar, true],
  ["namespaces", "*o", bar, true],
  ["namespaces", "f*o", "spiffe://cluster.local/ns/fooo/sa/bar", true],
  ["namespaces", "*", bar, true],
  ["namespaces", "*", undefined, false],
  ["namespaces", "a*", "spiffe://td/ns/a/x/y/sa/bar", true],
  ["namespaces", "a*c", "spiffe://td/ns/a/b/c/sa/bar", true],
  ["namespaces", "one", "spiffe://td/ns/one/ns/two/sa/bar", true],
  ["namespaces", "two", "spiffe://td/ns/one/ns/two/sa/bar", true],
  ["namespaces", "f.o", bar, false],
  ["namespaces", "foo", "spiffe://td/ns/foo/sa/b\nr", false],
  ["namespaces", "ü", "spiffe://td/ns/\u00c3\u00bc/sa/bar", true],
  ["serviceAccounts", "bar", bar, true],
  ["serviceAccounts", "bar", "spiffe://cluster.local/ns/other/sa/bar", false],
  ["serviceAccounts", "other/bar", "spiffe://cluster.local/ns/other/sa/bar", true],
  ["serviceAccounts", "foo/bar", "spiffe://any.thing/ns/foo/sa/bar", true],
  ["serviceAccounts", "foo/bar", "spiffe://td/ns/foo/x/y/sa/bar", true],
  ["serviceAccounts", "foo/bar", "spiffe://td/ns/foo/sa/bar/x/y", true],
  ["serviceAccounts", "foo/bar", "spiffe://td/ns/foo/sa/bar/", false],
  ["serviceAccounts", "foo/bar", "spiffe://td/ns/foo/sa/bar-some-junk", false],
  ["serviceAccounts", "foo/bar", "spiffe:///ns/foo/sa/bar", false],
  ["serviceAccounts", "foo/bar", "spiffe://td/x/ns/foo/sa/bar", true],
  ["serviceAccounts", "foo/bar", undefined, false],
  ["serviceAccounts", "foo/b.r", bar, false],
  ["trustDomains", "cluster.local", bar, true],
  ["trustDomains", "cluster.local", "spiffe://cluster.local", false],
  ["trustDomains", "cluster", bar, false],
  ["trustDomains", "cluster*", bar, true],
  ["trustDomains", "*local", bar, true],
  ["trustDomains", "*local", "spiffe://x/local/ns/foo", false],
  ["trustDomains", "cl*al", bar, true],
  ["trustDomains", "*", bar, true],
  ["trustDomains", "*", "https://cluster.local/", false],
  ["trustDomains", "*", undefined, false],
  ["trustDomains", "cluster.loca?", bar, false],
];

describe("3.4 source fields that are about the peer", () => {
  test.each(rows)("%s %s and %s: %s", (field, value, peer, matches) => {
    const request = peer === undefined ? {} : { peerPrincipal: peer };
    expect(ruleMatches({ from: [{ [field]: [value] }] }, request)).toBe(matches);
  });

  test.each(rows)("not %s %s and %s: not %s", (field, value, peer, matches) => {
    const notField = `not${field.charAt(0).toUpperCase()}${field.slice(1)}`;
    const request = peer === undefined ? {} : { peerPrincipal: peer };
    expect(ruleMatches({ from: [{ [notField]: [value] }] }, request)).toBe(!matches);
  });

  const whenKeys = new Map([
    ["principals", "source.principal"],
    ["namespaces", "source.namespace"],
    ["serviceAccounts", "source.serviceAccount"],
    ["trustDomains", "source.trustDomain"],
  ]);
  test.each(rows)("3.6 the same as a condition: %s %s and %s: %s", (field, value, peer, matches) => {
    const key = whenKeys.get(field) ?? "";
    const request = peer === undefined ? {} : { peerPrincipal: peer };
    expect(ruleMatches({ when: [{ key, values: [value] }] }, request)).toBe(matches);
    expect(ruleMatches({ when: [{ key, notValues: [value] }] }, request)).toBe(!matches);
  });

  test('3.4 notPrincipals: ["*"] is the idiom for plaintext callers', () => {
    expect(ruleMatches({ from: [{ notPrincipals: ["*"] }] }, {})).toBe(true);
    expect(ruleMatches({ from: [{ notPrincipals: ["*"] }] }, { peerPrincipal: bar })).toBe(false);
  });
});

const aliases = { trustDomain: "td1", trustDomainAliases: ["td2", "old-td"] };

describe("3.13 trust domain aliases", () => {
  test.each([
    ["principals", "td1/ns/foo/sa/bar", "td2", true],
    ["principals", "td2/ns/foo/sa/bar", "td1", true],
    ["principals", "cluster.local/ns/foo/sa/bar", "td1", true],
    ["principals", "cluster.local/ns/foo/sa/bar", "old-td", true],
    ["principals", "cluster.local/ns/foo/sa/bar", "cluster.local", false],
    ["principals", "*-td/ns/foo/sa/bar", "old-td", true],
    ["principals", "*-td/ns/foo/sa/bar", "new-td", true],
    ["principals", "*-td/ns/foo/sa/bar", "td2", true],
    ["principals", "td*/ns/foo/sa/bar", "old-td", true],
    ["principals", "*/ns/foo/sa/bar", "other", true],
    ["principals", "other/ns/foo/sa/bar", "td1", false],
    ["principals", "other/ns/foo/sa/bar", "other", true],
    ["principals", "td1/ns/foo/*", "td2", false],
    ["principals", "td1/ns/foo/*", "td1", true],
    ["trustDomains", "td1", "td2", true],
    ["trustDomains", "td2", "td1", true],
    ["trustDomains", "cluster.local", "td1", false],
    ["trustDomains", "td*", "old-td", false],
    ["namespaces", "foo", "elsewhere", true],
    ["serviceAccounts", "foo/bar", "elsewhere", true],
  ])("%s %s and a peer of %s: %s", (field, value, trustDomain, matches) => {
    const request = { peerPrincipal: `spiffe://${trustDomain}/ns/foo/sa/bar` };
    expect(ruleMatches({ from: [{ [field]: [value] }] }, request, aliases)).toBe(matches);
  });

  test("an alias with a star covers the trust domains of policies", () => {
    const options = { trustDomain: "td1", trustDomainAliases: ["*.example"] };
    const rule = { from: [{ principals: ["a.example/ns/foo/sa/bar"] }] };
    expect(ruleMatches(rule, { peerPrincipal: "spiffe://td1/ns/foo/sa/bar" }, options)).toBe(true);
  });
});

describe("3.4 addresses", () => {
  const fields = [
    ["ipBlocks", "directRemoteIp", "source.ip"],
    ["remoteIpBlocks", "remoteIp", "remote.ip"],
  ] as const;
  test.each([
    ["10.1.2.3", "10.1.2.3", true],
    ["10.1.2.3", "10.1.2.4", false],
    ["10.1.2.3/8", "10.255.0.1", true],
    ["10.0.0.0/8", "11.0.0.0", false],
    ["10.0.0.0/8", "9.255.255.255", false],
    ["0.0.0.0/0", "255.255.255.255", true],
    ["0.0.0.0/0", "::1", false],
    ["192.0.2.128/25", "192.0.2.127", false],
    ["192.0.2.128/25", "192.0.2.128", true],
    ["200.0.0.1/32", "200.0.0.1", true],
    ["2001:db8::/32", "2001:db8:ffff::1", true],
    ["2001:db8::/32", "2001:db9::", false],
    ["2001:db8:0:1:8000::/65", "2001:db8:0:1:8000::1", true],
    ["2001:db8:0:1:8000::/65", "2001:db8:0:1:7000::1", false],
    ["::1", "0:0:0:0:0:0:0:1", true],
    ["::/0", "10.0.0.1", false],
    ["10.0.0.0/8", "::ffff:10.0.0.1", false],
    ["::ffff:10.0.0.1", "::ffff:a00:1", true],
    ["fe80::/10", "fe80::1%eth0", true],
    ["10.1.2.3", undefined, false],
  ])("%s and %s: %s", (value, ip, matches) => {
    for (const [field, attribute, key] of fields) {
      const request = ip === undefined ? {} : { [attribute]: ip };
      const notField = `not${field.charAt(0).toUpperCase()}${field.slice(1)}`;
      expect(ruleMatches({ from: [{ [field]: [value] }] }, request)).toBe(matches);
      expect(ruleMatches({ from: [{ [notField]: [value] }] }, request)).toBe(!matches);
      expect(ruleMatches({ when: [{ key, values: [value] }] }, request)).toBe(matches);
    }
    const request = ip === undefined ? {} : { destinationIp: ip };
    expect(ruleMatches({ when: [{ key: "destination.ip", values: [value] }] }, request)).toBe(matches);
  });

  test("ipBlocks never look at the remote address, nor remoteIpBlocks at the peer's", () => {
    const request = { directRemoteIp: "10.0.0.1", remoteIp: "192.0.2.1" };
    expect(ruleMatches({ from: [{ ipBlocks: ["192.0.2.0/24"] }] }, request)).toBe(false);
    expect(ruleMatches({ from: [{ remoteIpBlocks: ["10.0.0.0/8"] }] }, request)).toBe(false);
  });
});

import { describe, expect, it } from "vitest";
import { derNode, sequence } from "./der/der-writer.ts";
import { objectIdentifier } from "./der/object-identifier.ts";
import { tag } from "./der/tag.ts";
import { organizationOnly } from "./distinguished-name.ts";
import { leafUsage, testAuthority, verifyAuthorities } from "./test-authority.ts";
import { subtreeWithMinimum, type TestNameConstraints, type TestSubtree } from "./test-ca-extensions.ts";
import {
  constrained,
  directory,
  dns,
  email,
  excludes,
  frontend,
  ip,
  leafNamed,
  type Names,
  permits,
  root,
  uri,
} from "./test-name-constraints.ts";

type Verdict = "verified" | "name-constrained" | "name-constraints-unsupported";

async function verdict(constraints: TestNameConstraints, names: Names): Promise<string> {
  const ca = await constrained(constraints);
  const result = verifyAuthorities([await leafNamed(ca, names), ca], [root]);
  return result.kind === "verified" ? "verified" : result.code;
}

type Row = [constraints: TestNameConstraints, names: Names, expected: Verdict];

describe("URIs (RFC 5280 section 4.2.1.10)", () => {
  it.each<Row>([
    [permits(uri("cluster.local")), [["uri", frontend]], "verified"],
    [permits(uri("CLUSTER.Local")), [["uri", frontend]], "verified"],
    [permits(uri("cluster.local")), [["uri", "spiffe://Cluster.Local/a"]], "verified"],
    [permits(uri("cluster.local")), [["uri", "spiffe://a.cluster.local/a"]], "name-constrained"],
    [permits(uri("cluster.local")), [["uri", "spiffe://cluster.local.example/a"]], "name-constrained"],
    [permits(uri("cluster.local")), [["uri", "spiffe://xcluster.local/a"]], "name-constrained"],
    [permits(uri(".cluster.local")), [["uri", "spiffe://a.cluster.local/a"]], "verified"],
    [permits(uri(".cluster.local")), [["uri", "spiffe://a.b.cluster.local/a"]], "verified"],
    [permits(uri(".cluster.local")), [["uri", frontend]], "name-constrained"],
    [permits(uri(".cluster.local")), [["uri", "spiffe://xcluster.local/a"]], "name-constrained"],
    [permits(uri("cluster.local"), uri("td2")), [["uri", "spiffe://td2/a"]], "verified"],
    [permits(uri("cluster.local")), [["uri", "spiffe://cluster.local"]], "verified"],
    [permits(uri("cluster.local")), [["uri", "https://cluster.local:8443/a?b#c"]], "verified"],
    [permits(uri("cluster.local")), [["uri", "https://cluster.local?a"]], "verified"],
    [excludes(uri("cluster.local")), [["uri", frontend]], "name-constrained"],
    [excludes(uri("cluster.local")), [["uri", "spiffe://a.cluster.local/a"]], "verified"],
    [excludes(uri(".cluster.local")), [["uri", "spiffe://a.cluster.local/a"]], "name-constrained"],
    [excludes(uri(".cluster.local")), [["uri", frontend]], "verified"],
    [{ permitted: [uri(".local")], excluded: [uri("cluster.local")] }, [["uri", frontend]], "name-constrained"],
    [
      permits(uri("cluster.local")),
      [
        ["uri", frontend],
        ["uri", "spiffe://victim/a"],
      ],
      "name-constrained",
    ],
  ])("%j, %j: %s", async (constraints, names, expected) => {
    expect(await verdict(constraints, names)).toBe(expected);
  });

  it.each([
    "spiffe:cluster.local",
    "urn:cluster.local:a",
    "spiffe:///ns/demo",
    "spiffe://victim@cluster.local/a",
    "spiffe://cluster.local@victim/a",
    "spiffe://cluster.local:x/a",
    "spiffe://cluster.local\\victim/a",
    "spiffe://cluster%2elocal/a",
    "spiffe://cluster.local./a",
    "spiffe://.cluster.local/a",
    "spiffe://*.cluster.local/a",
    "https://10.0.0.1/a",
    "https://[2001:db8::1]/a",
    "cluster.local",
    " spiffe://cluster.local/a",
    "",
  ])("refuses %j wherever URIs are constrained: it has no host that is a domain name", async (value) => {
    expect(await verdict(permits(uri("cluster.local"), uri("victim")), [["uri", value]])).toBe("name-constrained");
    expect(await verdict(excludes(uri("example.com")), [["uri", value]])).toBe("name-constrained");
    expect(await verdict(permits(dns("example.com")), [["uri", value]])).toBe("verified");
  });
});

describe("DNS names (RFC 5280 section 4.2.1.10)", () => {
  it.each<Row>([
    [permits(dns("example.com")), [["dns", "example.com"]], "verified"],
    [permits(dns("example.com")), [["dns", "A.b.EXAMPLE.com"]], "verified"],
    [permits(dns("example.com")), [["dns", "badexample.com"]], "name-constrained"],
    [permits(dns("example.com")), [["dns", "com"]], "name-constrained"],
    [permits(dns("example.com")), [["dns", "example.com.evil"]], "name-constrained"],
    [permits(dns(".example.com")), [["dns", "a.example.com"]], "verified"],
    [permits(dns(".example.com")), [["dns", "example.com"]], "name-constrained"],
    [permits(dns("example.com")), [["dns", "*.example.com"]], "verified"],
    [permits(dns("example.com")), [["dns", "*.com"]], "name-constrained"],
    [excludes(dns("example.com")), [["dns", "a.example.com"]], "name-constrained"],
    [excludes(dns("example.com")), [["dns", "badexample.com"]], "verified"],
    [excludes(dns("a.example.com")), [["dns", "*.example.com"]], "name-constrained"],
    [excludes(dns("example.com")), [["dns", "*.com"]], "name-constrained"],
    [excludes(dns("a.b.example.com")), [["dns", "*.example.com"]], "verified"],
    [excludes(dns(".a.example.com")), [["dns", "*.example.com"]], "verified"],
    [permits(dns("example.com"), dns("example.org")), [["dns", "a.example.org"]], "verified"],
    [
      permits(dns("example.com")),
      [
        ["dns", "a.example.com"],
        ["dns", "victim.example"],
      ],
      "name-constrained",
    ],
    [permits(dns("my_host.example.com")), [["dns", "my_host.example.com"]], "verified"],
  ])("%j, %j: %s", async (constraints, names, expected) => {
    expect(await verdict(constraints, names)).toBe(expected);
  });

  it.each([
    "example.com.",
    ".example.com",
    "a..example.com",
    "",
    " example.com",
    "a\0.example.com",
    "a.*.example.com",
    "f*.example.com",
  ])("refuses %j wherever DNS names are constrained: no two readers agree on it", async (value) => {
    expect(await verdict(permits(dns("example.com")), [["dns", value]])).toBe("name-constrained");
    expect(await verdict(excludes(dns("example.org")), [["dns", value]])).toBe("name-constrained");
  });
});

describe("what an empty constraint means", () => {
  it.each<Row>([
    [permits(uri("")), [["uri", frontend]], "name-constrained"],
    [excludes(uri("")), [["uri", frontend]], "name-constrained"],
    [permits(dns("")), [["dns", "example.com"]], "name-constrained"],
    [excludes(dns("")), [["dns", "example.com"]], "name-constrained"],
    [excludes(dns("")), [["uri", frontend]], "verified"],
  ])("is the stricter of the readings in use: %j, %j", async (constraints, names, expected) => {
    expect(await verdict(constraints, names)).toBe(expected);
  });
});

describe("other forms of names", () => {
  const lower = organizationOnly("example corp");
  it.each<Row>([
    [permits(ip("0a000000ff000000")), [["ip", "10.1.2.3"]], "verified"],
    [permits(ip("0a000000ff000000")), [["ip", "11.1.2.3"]], "name-constrained"],
    [permits(ip("0a000000ff000000")), [["ip", "2001:db8::1"]], "name-constrained"],
    [excludes(ip("00".repeat(8))), [["ip", "10.1.2.3"]], "name-constrained"],
    [excludes(ip(`20010db8${"00".repeat(12)}ffffffff${"00".repeat(12)}`)), [["ip", "2001:db8::1"]], "name-constrained"],
    [excludes(ip(`20010db8${"00".repeat(12)}ffffffff${"00".repeat(12)}`)), [["ip", "10.1.2.3"]], "verified"],
    [excludes(ip("00".repeat(32))), [["ip", "10.1.2.3"]], "verified"],
    [excludes(ip("00".repeat(8))), [["ip", "2001:db8::1"]], "verified"],
    [excludes(ip("0a000000ff00ff00")), [["ip", "192.0.2.1"]], "name-constraints-unsupported"],
    [permits(ip("0a000000ff000000")), [["uri", frontend]], "verified"],
    [permits(directory(lower)), [["directory", "Example  CORP"]], "verified"],
    [permits(directory(lower)), [["directory", "Other Corp"]], "name-constrained"],
    [excludes(directory(lower)), [["directory", "Example Corp"]], "name-constrained"],
    [excludes(directory(sequence())), [["directory", "Example Corp"]], "name-constrained"],
    [permits(email("example.com")), [["email", "a@example.com"]], "name-constraints-unsupported"],
    [excludes(email("example.com")), [["email", "a@example.org"]], "name-constraints-unsupported"],
    [permits(email("example.com")), [["uri", frontend]], "verified"],
    [permits(dns("*.example.com")), [["dns", "a.example.com"]], "name-constraints-unsupported"],
    [permits(dns("example.com.")), [["dns", "a.example.com"]], "name-constraints-unsupported"],
    [permits(uri("https://cluster.local")), [["uri", frontend]], "name-constraints-unsupported"],
  ])("%j, %j: %s", async (constraints, names, expected) => {
    expect(await verdict(constraints, names)).toBe(expected);
  });

  it("lets pass what it cannot judge where the extension is not critical, and enforces the rest", async () => {
    const soft = { permitted: [email("example.com"), uri("cluster.local")], critical: false };
    expect(
      await verdict(soft, [
        ["email", "a@victim"],
        ["uri", frontend],
      ]),
    ).toBe("verified");
    expect(await verdict(soft, [["uri", "spiffe://victim/a"]])).toBe("name-constrained");
    expect(await verdict({ excluded: [email("victim")], critical: false }, [["email", "a@victim"]])).toBe("verified");
  });

  it("refuses an IPv4 address in the guise of IPv6 wherever addresses are constrained", async () => {
    const mapped = `${"\0".repeat(10)}\xff\xff\x0a\x01\x02\x03`;
    expect(await verdict(permits(ip("0a000000ff000000")), [["ip", mapped]])).toBe("name-constrained");
    expect(await verdict(excludes(ip("c0000200ffffff00")), [["ip", mapped]])).toBe("name-constrained");
    expect(await verdict(permits(uri("cluster.local")), [["ip", mapped]])).toBe("verified");
  });

  it("refuses a malformed name of a constrained form also where the extension is not critical", async () => {
    const names: Names = [["uri", "urn:a:b"]];
    expect(await verdict({ permitted: [uri("cluster.local")], critical: false }, names)).toBe("name-constrained");
    expect(await verdict({ excluded: [uri("cluster.local")], critical: false }, names)).toBe("name-constrained");
  });

  it("cannot judge a subtree with a minimum", async () => {
    const raw: TestSubtree = { kind: "raw", der: subtreeWithMinimum("example.com") };
    expect(await verdict({ permitted: [raw] }, [["dns", "a.example.com"]])).toBe("name-constraints-unsupported");
    expect(await verdict({ permitted: [raw] }, [["uri", frontend]])).toBe("verified");
  });

  it("holds the subject to constraints on directory names, and an e-mail address in it to those on addresses", async () => {
    const ca = await constrained(permits(directory(organizationOnly("leaf"))));
    const named = await testAuthority({ name: "leaf", issuer: ca, extensions: [leafUsage] });
    expect(verifyAuthorities([named, ca], [root]).kind).toBe("verified");
    const other = await testAuthority({ name: "other", issuer: ca, extensions: [leafUsage] });
    expect(verifyAuthorities([other, ca], [root])).toMatchObject({ code: "name-constrained" });
    const emailAddress = objectIdentifier("1.2.840.113549.1.9.1");
    const address = sequence(emailAddress.der, derNode(tag.ia5String, [Buffer.from("a@example.com")]));
    const subject = sequence(derNode(tag.set, [address]));
    const strict = await constrained(permits(email("example.com")));
    const mailed = await testAuthority({ name: "leaf", subject, issuer: strict, extensions: [leafUsage] });
    expect(verifyAuthorities([mailed, strict], [root])).toMatchObject({ code: "name-constraints-unsupported" });
  });
});

import type { SubjectAltName } from "@signet/x509";
import type { TestNameConstraints } from "@signet/x509/testing";

/** A leaf under a CA with name constraints, and who accepts it. */
export type NameConstraintCase = {
  readonly constraints: TestNameConstraints;
  readonly names: readonly SubjectAltName[];
  readonly ours: boolean;
  /** Where it differs from ours. */
  readonly openssl?: boolean;
  /** Where it differs from ours, or where versions in use differ from one another. */
  readonly go?: boolean | "varies";
  /** Why somebody differs. */
  readonly because?: string;
};

type Text = `${"uri" | "dns"} ${string}`;

const uri = (value: string) => ({ kind: "uri", value }) as const;
const dns = (value: string) => ({ kind: "dns", value }) as const;
const ip = (hex: string) => ({ kind: "ip", hex }) as const;
const email = (value: string) => ({ kind: "email", value }) as const;
const permit = (...permitted: NonNullable<TestNameConstraints["permitted"]>): TestNameConstraints => ({ permitted });
const exclude = (...excluded: NonNullable<TestNameConstraints["excluded"]>): TestNameConstraints => ({ excluded });

function nameOf(text: Text): SubjectAltName {
  const value = text.slice(4);
  return text.startsWith("uri") ? { kind: "uri", value } : { kind: "dns", value };
}

function row(
  constraints: TestNameConstraints,
  names: readonly Text[],
  verdict: Omit<NameConstraintCase, "constraints" | "names">,
): NameConstraintCase {
  return { constraints, names: names.map(nameOf), ...verdict };
}

const frontend: Text = "uri spiffe://cluster.local/ns/demo/sa/frontend";
const goSubdomains = "Go takes a URI constraint for a DNS one: the host and all below it";
const noHost = "RFC 5280 section 4.2.1.10 has a URI without such a host refused; OpenSSL compares what stands there";

/** SPIFFE IDs and other URIs under constraints on URIs. */
const uris: readonly NameConstraintCase[] = [
  row(permit(uri("cluster.local")), [frontend], { ours: true }),
  row(permit(uri("CLUSTER.LOCAL")), [frontend], { ours: true }),
  row(permit(uri("other.local")), [frontend], { ours: false }),
  row(permit(uri("local")), [frontend], { ours: false, go: true, because: goSubdomains }),
  row(permit(uri(".local")), [frontend], { ours: true }),
  row(permit(uri(".cluster.local")), [frontend], { ours: false }),
  row(permit(uri("cluster.local")), ["uri spiffe://xcluster.local/a"], { ours: false }),
  row(permit(uri("cluster.local")), ["uri spiffe://cluster.local.example/a"], { ours: false }),
  row(permit(uri("cluster.local")), ["uri spiffe://a.cluster.local/a"], {
    ours: false,
    go: true,
    because: goSubdomains,
  }),
  row(permit(uri(".cluster.local")), ["uri spiffe://a.b.cluster.local/a"], { ours: true }),
  row(permit(uri(".cluster.local")), ["uri spiffe://xcluster.local/a"], { ours: false }),
  row(permit(uri("cluster.local"), uri("td2")), ["uri spiffe://td2/a"], { ours: true }),
  row(permit(uri("cluster.local")), ["uri https://cluster.local:8443/a"], { ours: true }),
  row(permit(uri("cluster.local")), [frontend, "uri spiffe://victim/a"], { ours: false }),
  row(exclude(uri("cluster.local")), [frontend], { ours: false }),
  row(exclude(uri("victim")), [frontend], { ours: true }),
  row(exclude(uri("local")), [frontend], { ours: true, go: false, because: goSubdomains }),
  row(exclude(uri(".local")), [frontend], { ours: false }),
  row(exclude(uri(".cluster.local")), [frontend], { ours: true }),
  row({ permitted: [uri(".local")], excluded: [uri("cluster.local")] }, [frontend], { ours: false }),
  row(permit(dns("example.com")), [frontend], { ours: true }),
  row(permit(uri("10.0.0.1")), ["uri https://10.0.0.1/a"], { ours: false, openssl: true, because: noHost }),
  row(exclude(uri("victim")), ["uri https://10.0.0.1/a"], { ours: false, openssl: true, because: noHost }),
  row(exclude(uri("victim")), ["uri urn:example:a"], { ours: false }),
  row(exclude(uri("victim")), ["uri spiffe:///ns/demo"], { ours: false }),
  row(exclude(uri("victim")), ["uri spiffe://a@victim/a"], { ours: false, openssl: true, because: noHost }),
  row(permit(uri("")), [frontend], { ours: false, go: true, because: "RFC 5280 gives an empty constraint no meaning" }),
  row(exclude(uri("")), [frontend], {
    ours: false,
    openssl: true,
    because: "RFC 5280 gives an empty constraint no meaning",
  }),
];

const wildcard = "a wildcard stands for the excluded name, too; OpenSSL and older versions of Go compare it as written";

/** DNS names, as in serving certificates, under constraints on DNS names. */
const dnsNames: readonly NameConstraintCase[] = [
  row(permit(dns("example.com")), ["dns example.com"], { ours: true }),
  row(permit(dns("example.com")), ["dns a.b.EXAMPLE.com"], { ours: true }),
  row(permit(dns("example.com")), ["dns badexample.com"], { ours: false }),
  row(permit(dns("example.com")), ["dns com"], { ours: false }),
  row(permit(dns(".example.com")), ["dns a.example.com"], { ours: true }),
  row(permit(dns(".example.com")), ["dns example.com"], { ours: false }),
  row(permit(dns("example.com")), ["dns *.example.com"], { ours: true }),
  row(permit(dns("example.com")), ["dns a.example.com", "dns victim.example"], { ours: false }),
  row(permit(dns("example.com")), [frontend, "dns a.example.com"], { ours: true }),
  row(exclude(dns("example.com")), ["dns a.example.com"], { ours: false }),
  row(exclude(dns("example.com")), ["dns badexample.com"], { ours: true }),
  row(exclude(dns("a.example.com")), ["dns *.example.com"], {
    ours: false,
    openssl: true,
    go: "varies",
    because: wildcard,
  }),
  row(exclude(dns("a.b.example.com")), ["dns *.example.com"], { ours: true }),
  row(permit(uri("cluster.local")), ["dns a.example.com"], { ours: true }),
];

/** Other forms, critical or not. */
const others: readonly NameConstraintCase[] = [
  { constraints: permit(ip("0a000000ff000000")), names: [{ kind: "ip", value: "10.1.2.3" }], ours: true },
  { constraints: permit(ip("0a000000ff000000")), names: [{ kind: "ip", value: "11.1.2.3" }], ours: false },
  { constraints: permit(ip("0a000000ff000000")), names: [{ kind: "ip", value: "2001:db8::1" }], ours: false },
  { constraints: exclude(ip("0000000000000000")), names: [{ kind: "ip", value: "10.1.2.3" }], ours: false },
  row(permit(email("example.com")), [frontend], { ours: true }),
  row({ ...permit(uri("cluster.local")), critical: false }, ["uri spiffe://victim/a"], { ours: false }),
  row({ ...permit(email("example.com"), uri("cluster.local")), critical: false }, [frontend], { ours: true }),
];

/** All of them. */
export const nameConstraintCases: readonly NameConstraintCase[] = [...uris, ...dnsNames, ...others];

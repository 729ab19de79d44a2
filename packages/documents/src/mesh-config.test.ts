import { describe, expect, it } from "vitest";
import { describeProblem } from "./document-problem.ts";
import { parseMeshConfig } from "./mesh-config.ts";

const pem = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";

function parse(text: string): unknown {
  const parsed = parseMeshConfig(text, { file: "mesh.yaml" });
  return parsed.kind === "mesh-config" ? parsed.meshConfig : parsed.problems.map(describeProblem);
}

const nothing = { trustDomainAliases: [], caCertificates: [], extensionProviders: [] };

describe("parseMeshConfig reads", () => {
  const whole = {
    trustDomain: "prod.example",
    trustDomainAliases: ["old.example", "older.example"],
    caCertificates: [
      { pem, certSigners: ["clusterissuers.example/foo"], trustDomains: [] },
      { spiffeBundleUrl: "https://partner.example/bundle", certSigners: [], trustDomains: ["partner.example"] },
    ],
    discoveryAddress: "istiod.istio-system.svc:15012",
    rootNamespace: "istio-system",
    extensionProviders: [],
  };

  it("a mesh config as Istio's chart writes it, and passes over what else is in it", () => {
    const text = `
accessLogFile: /dev/stdout
defaultConfig:
  discoveryAddress: istiod.istio-system.svc:15012
  tracing: {zipkin: {address: "zipkin:9411"}}
defaultProviders:
  metrics:
  - prometheus
enablePrometheusMerge: true
rootNamespace: istio-system
trustDomain: prod.example
trustDomainAliases:
- old.example
- older.example
caCertificates:
- pem: |
    -----BEGIN CERTIFICATE-----
    MIIB
    -----END CERTIFICATE-----
  certSigners: [clusterissuers.example/foo]
- spiffeBundleUrl: https://partner.example/bundle
  trustDomains: [partner.example]
`;
    expect(parse(text)).toEqual(whole);
    expect(parse(text.replaceAll("\n", "\r\n"))).toMatchObject({ trustDomain: "prod.example" });
  });

  it.each([undefined, 2, "\t"])("the same as JSON indented by %j", (indent) => {
    const { discoveryAddress, ...rest } = whole;
    const json = { ...rest, defaultConfig: { discoveryAddress, holdApplicationUntilProxyStarts: true } };
    expect(parse(JSON.stringify(json, undefined, indent))).toEqual(whole);
  });

  it("names in snake_case, as protobuf's JSON does", () => {
    const text = `
trust_domain: prod.example
ca_certificates: [{spiffe_bundle_url: partner.example/bundle, cert_signers: [a], trust_domains: [b]}]
default_config: {discovery_address: "[::1]:15012"}`;
    expect(parse(text)).toEqual({
      trustDomain: "prod.example",
      trustDomainAliases: [],
      caCertificates: [{ spiffeBundleUrl: "https://partner.example/bundle", certSigners: ["a"], trustDomains: ["b"] }],
      discoveryAddress: "[::1]:15012",
      extensionProviders: [],
    });
  });

  it.each([
    ["nothing at all", ""],
    ["a comment", "# nothing\n"],
    ["an empty document", "---\n...\n"],
    ["null", "null"],
    ["null fields", "trustDomain:\ntrustDomainAliases: null\ncaCertificates: ~\ndefaultConfig: null"],
    [
      "empty text, which is protobuf's default",
      'trustDomain: ""\nrootNamespace: ""\ndefaultConfig: {discoveryAddress: ""}',
    ],
  ])("%s as an empty mesh config", (_, text) => {
    expect(parse(text)).toEqual(nothing);
  });

  it("an @ in a trust domain as a dot", () => {
    expect(parse("trustDomain: a@b.example")).toEqual({ ...nothing, trustDomain: "a.b.example" });
  });

  it("aliases", () => {
    const text = "trustDomainAliases: &d [a.example]\ncaCertificates: [{spiffeBundleUrl: x.example, trustDomains: *d}]";
    expect(parse(text)).toMatchObject({ caCertificates: [{ trustDomains: ["a.example"] }] });
  });

  it("names that mean something in JavaScript as names", () => {
    const text =
      '{"__proto__": {"trustDomain": "evil.example"}, "constructor": 1, "toString": [1], "trustDomain": "a"}';
    expect(parse(text)).toEqual({ ...nothing, trustDomain: "a" });
  });
});

describe("parseMeshConfig refuses", () => {
  it.each([
    ["trustDomain: 5", "1:14: trustDomain is a number, and not text"],
    ["trustDomain: true", "1:14: trustDomain is true or false, and not text"],
    ["a: 1\ntrustDomain: [x]", "2:14: trustDomain is a list, and not text"],
    ["trustDomain:\n  a: b", "2:3: trustDomain is a map, and not text"],
    ["trustDomainAliases: x", "1:21: trustDomainAliases is text, and not a list"],
    ["trustDomainAliases:\n- a\n- 1", "3:3: trustDomainAliases[1] is a number, and not text"],
    ["trustDomainAliases: [a, null]", "1:25: trustDomainAliases[1] is nothing, and not text"],
    ["caCertificates: {pem: x}", "1:17: caCertificates is a map, and not a list"],
    ["caCertificates: [x]", "1:18: caCertificates[0] is text, and not a map"],
    ["defaultConfig: []", "1:16: defaultConfig is a list, and not a map"],
    ["defaultConfig: {discoveryAddress: 1}", "1:35: defaultConfig.discoveryAddress is a number, and not text"],
    ["rootNamespace: {}", "1:16: rootNamespace is a map, and not text"],
    ["- a", "1:1: is not a map of fields"],
    ["hello", "1:1: is not a map of fields"],
    ["a: 1\n---\nb: 2", "3:1: is a second document, and one is read"],
    ["trustDomain: a\ntrustDomain: b", '2:1: has the key "trustDomain" twice'],
    ["a: {b: 1, 'b': 2}", '1:11: has the key "b" twice'],
    ["trustDomain: a\ntrust_domain: b", "2:1: trust_domain is trustDomain in another spelling"],
    ["trustDomain: !secret a", "1:14: is not valid: Unresolved tag: !secret"],
    ["other: !!binary aGk=", "1:8: is not valid: Unresolved tag: tag:yaml.org,2002:binary"],
    ["<<: {trustDomain: a}", "1:1: has a merge key, and those are not read: write the fields out"],
    ["? [a]\n: 1", "1:3: has a key that is no text"],
    ["a: *b", "1:4: has an alias b of nothing before it"],
    ["a: &a [*a]", "1:8: has an alias a within what it names"],
    ["%YAML 1.1\n---\na: 1", "1:1: asks for YAML 1.1, and only 1.2 is read"],
  ])("%j with its place", (text, problem) => {
    expect(parse(text)).toEqual([`mesh.yaml:${problem}`]);
  });

  it.each([
    ["trustDomain: Prod.example", "1:14: trustDomain is not valid: trust domain"],
    ["trustDomainAliases: ['']", "1:22: trustDomainAliases[0] is not valid: trust domain"],
    ["rootNamespace: Istio", "1:16: rootNamespace is not valid: a namespace is a DNS label"],
    [`rootNamespace: ${"a".repeat(64)}`, "1:16: rootNamespace is not valid"],
    ["defaultConfig:\n  discoveryAddress: istiod", "2:21: defaultConfig.discoveryAddress is not valid"],
    ["defaultConfig: {discoveryAddress: 'istiod:0'}", "1:35: defaultConfig.discoveryAddress is not valid"],
    ["defaultConfig: {discoveryAddress: ':15012'}", "1:35: defaultConfig.discoveryAddress is not valid"],
    ["caCertificates: [{pem: x}]", "1:24: caCertificates[0].pem is not valid: there is no certificate in it"],
    [
      `caCertificates: [{pem: ${JSON.stringify(`${pem}-----BEGIN PRIVATE KEY-----`)}}]`,
      "1:24: caCertificates[0].pem is not valid: there is a private key in it",
    ],
    ["caCertificates: [{spiffeBundleUrl: 'http://a'}]", "1:36: caCertificates[0].spiffeBundleUrl is not valid"],
    ["caCertificates: [{spiffeBundleUrl: 'https://u:p@a'}]", "1:36: caCertificates[0].spiffeBundleUrl is not valid"],
    ["caCertificates: [{certSigners: ['']}]", "1:18: caCertificates[0] holds neither pem nor spiffeBundleUrl"],
    [
      `caCertificates: [{pem: ${JSON.stringify(pem)}, spiffeBundleUrl: a.example}]`,
      "1:18: caCertificates[0] holds pem and spiffeBundleUrl",
    ],
    ["a: [", "1:5: is not valid: "],
    ["a: b: c", "1:"],
  ])("%j with what is not valid", (text, start) => {
    const [first] = parse(text) as string[];
    expect(first?.startsWith(`mesh.yaml:${start}`) ? start : first).toBe(start);
  });

  it("everything at once, and no more than a hundred problems", () => {
    const aliases = Array.from({ length: 200 }, () => "- 1").join("\n");
    expect(parse("trustDomain: 1\nrootNamespace: 2")).toHaveLength(2);
    expect(parse(`trustDomainAliases:\n${aliases}`)).toHaveLength(100);
  });

  it("a private key without showing it", () => {
    const secret = "c2VjcmV0";
    const text = `caCertificates: [{pem: ${JSON.stringify(`${pem}-----BEGIN EC PRIVATE KEY-----\n${secret}`)}}]`;
    expect(JSON.stringify(parse(text))).not.toContain(secret);
  });
});

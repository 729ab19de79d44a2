import { parseDocuments, parseMeshConfig } from "@signet/documents";
import { describe, expect, it } from "vitest";
import { lint } from "../lint.ts";
import { lintCatalog, lintIds } from "./lint-catalog.ts";
import type { LintFinding } from "./lint-finding.ts";

/** A document of a kind, in namespace `foo` unless its metadata says otherwise; the spec is one flow map. */
function document(kind: string, spec: string, metadata = "name: a"): string {
  const namespace = metadata.includes("namespace:") ? "" : ", namespace: foo";
  return `apiVersion: security.istio.io/v1\nkind: ${kind}\nmetadata: {${metadata}${namespace}}\nspec: {${spec}}\n---\n`;
}

const policy = (spec: string, metadata?: string): string => document("AuthorizationPolicy", spec, metadata);
const peers = (spec: string, metadata?: string): string => document("PeerAuthentication", spec, metadata);
const tokens = (spec: string, metadata = "name: jwt"): string => document("RequestAuthentication", spec, metadata);
const strict = peers("mtls: {mode: STRICT}");
const idp = tokens("jwtRules: [{issuer: 'https://idp.example', audiences: [a]}]");
const wanted = policy("rules: [{from: [{source: {requestPrincipals: ['*']}}]}]", "name: wanted");
const allowNothing = policy("", "name: nothing");

function findings(text: string, mesh?: string | undefined): readonly LintFinding[] {
  const parsed = mesh === undefined ? undefined : parseMeshConfig(mesh, { file: "mesh.yaml" });
  if (parsed?.kind === "refused") throw new Error("the mesh config of this test is not valid");
  return lint(parseDocuments(text, { file: "f.yaml" }), parsed === undefined ? {} : { meshConfig: parsed.meshConfig });
}

const source = (fields: string, action = "ALLOW"): string =>
  policy(`action: ${action}, rules: [{from: [{source: {${fields}}}]}]`);
const operation = (fields: string, action = "ALLOW"): string =>
  policy(`action: ${action}, rules: [{from: [{source: {ipBlocks: [10.0.0.1]}}], to: [{operation: {${fields}}}]}]`);
const when = (key: string, values: string, action = "ALLOW"): string =>
  policy(`action: ${action}, rules: [{when: [{key: "${key}", values: ${values}}]}]`);

/** What it looks like, what is found in it with its severity and place, and what is like it and right. */
type Row = readonly [id: string, text: string, severity: string, path: string, right: string, mesh?: string];

const from = "spec.rules[0].from[0].source";
const to = "spec.rules[0].to[0].operation";
const custom = (name: string, metadata?: string): string =>
  policy(`action: CUSTOM, provider: {name: ${name}}, rules: [{}]`, metadata);
const providers = (rest: string): string =>
  `extensionProviders: [{name: ext, envoyExtAuthzGrpc: {service: e, port: 1${rest}}}, {name: web, envoyExtAuthzHttp: {service: e, port: 1}}, {name: bad, envoyExtAuthzGrpc: {}}]`;

const rows: readonly Row[] = [
  ["document-refused", policy("rule: []"), "error", "spec.rule", policy("rules: []")],
  ["document-warning", policy("selector: {}"), "warning", "spec.selector", policy("selector: {matchLabels: {a: b}}")],
  [
    "rule-never-matches",
    operation("methods: [GET], notMethods: ['G*']", "DENY"),
    "error",
    "spec.rules[0]",
    operation("methods: [GET, PUT], notMethods: ['G*']", "DENY"),
  ],
  [
    "rule-never-matches",
    policy("rules: [{to: [{operation: {ports: ['80']}}], when: [{key: destination.port, values: ['443']}]}]"),
    "warning",
    "spec.rules[0]",
    policy("rules: [{to: [{operation: {ports: ['80']}}], when: [{key: destination.port, values: ['443', '080']}]}]"),
  ],
  [
    "rule-never-matches",
    policy("rules: [{to: [{operation: {paths: [/a], notPaths: ['*']}}, {operation: {paths: [/b]}}]}]"),
    "warning",
    to,
    policy("rules: [{to: [{operation: {paths: ['/a*'], notPaths: [/a]}}, {operation: {paths: [/b]}}]}]"),
  ],
  [
    "rule-shadowed",
    policy("rules: [{to: [{operation: {paths: ['/a*']}}]}, {to: [{operation: {paths: [/ab], methods: [GET]}}]}]"),
    "warning",
    "spec.rules[1]",
    policy("rules: [{to: [{operation: {paths: ['/a*']}}]}, {to: [{operation: {paths: [/ba], methods: [GET]}}]}]"),
  ],
  [
    "rule-shadowed",
    policy("rules: [{from: [{source: {ipBlocks: [10.0.0.0/8]}}]}]", "name: z, namespace: istio-system") +
      source("ipBlocks: [10.1.0.0/16]"),
    "warning",
    "spec.rules[0]",
    policy("rules: [{from: [{source: {ipBlocks: [10.0.0.0/8]}}]}]", "name: z, namespace: bar") +
      source("ipBlocks: [10.1.0.0/16]"),
  ],
  [
    "rule-denied",
    operation("paths: [/admin/x]") +
      policy("action: DENY, rules: [{to: [{operation: {paths: ['/admin*']}}]}]", "name: d"),
    "warning",
    "spec.rules[0]",
    operation("paths: [/admin/x]") +
      policy("action: DENY, rules: [{to: [{operation: {paths: ['/admin*'], methods: [PUT]}}]}]", "name: d"),
  ],
  ["allow-everything", policy("rules: [{}]"), "warning", "spec.rules[0]", source("ipBlocks: [10.0.0.1]")],
  [
    "allow-anyone",
    policy("rules: [{to: [{operation: {paths: [/]}}]}]"),
    "note",
    "spec.rules[0]",
    policy("rules: [{to: [{operation: {paths: [/]}}], when: [{key: source.ip, values: [10.0.0.1]}]}]"),
  ],
  [
    "no-allow-policy",
    source("ipBlocks: [10.0.0.1]", "DENY"),
    "warning",
    "",
    source("ipBlocks: [10.0.0.1]", "DENY") + allowNothing,
  ],
  [
    "dry-run-allows-all",
    policy("rules: []", "name: a, annotations: {istio.io/dry-run: 'true'}"),
    "note",
    "",
    policy("rules: []", "name: a, annotations: {istio.io/dry-run: 'true'}") + allowNothing,
  ],
  [
    "http-fields-on-tcp",
    operation("methods: [GET]", "DENY"),
    "error",
    "spec.rules[0]",
    operation("methods: [GET], ports: ['80']", "DENY"),
  ],
  [
    "http-fields-on-tcp",
    when("request.headers[a]", "[b]", "AUDIT"),
    "note",
    "spec.rules[0]",
    when("source.ip", "[10.0.0.1]", "AUDIT"),
  ],
  [
    "source-needs-mtls",
    source("namespaces: [bar]", "DENY"),
    "error",
    `${from}.namespaces`,
    strict + source("namespaces: [bar]", "DENY"),
  ],
  [
    "source-needs-mtls",
    strict +
      source("notPrincipals: [a/ns/b/sa/c]") +
      peers("selector: {matchLabels: {a: b}}, mtls: {mode: PERMISSIVE}", "name: b"),
    "error",
    `${from}.notPrincipals`,
    strict +
      source("notPrincipals: [a/ns/b/sa/c]") +
      peers("selector: {matchLabels: {a: b}}, mtls: {mode: STRICT}", "name: b"),
  ],
  [
    "source-needs-mtls",
    peers("mtls: {mode: DISABLE}") + source("serviceAccounts: [a]"),
    "warning",
    `${from}.serviceAccounts`,
    peers("mtls: {mode: PERMISSIVE}") + source("serviceAccounts: [a]"),
  ],
  [
    "ip-blocks-behind-proxy",
    policy("selector: {matchLabels: {istio: ingressgateway}}, rules: [{from: [{source: {ipBlocks: [10.0.0.1]}}]}]"),
    "warning",
    `${from}.ipBlocks`,
    policy(
      "selector: {matchLabels: {istio: ingressgateway}}, rules: [{from: [{source: {remoteIpBlocks: [10.0.0.1]}}]}]",
    ),
  ],
  ["ip-family", source("ipBlocks: ['::ffff:10.0.0.1']"), "warning", `${from}.ipBlocks[0]`, source("ipBlocks: ['::1']")],
  ["cidr-host-bits", source("ipBlocks: [10.0.0.1/8]"), "note", `${from}.ipBlocks[0]`, source("ipBlocks: [10.0.0.0/8]")],
  [
    "cidr-host-bits",
    source("ipBlocks: ['2001:db8::1/33']"),
    "note",
    `${from}.ipBlocks[0]`,
    source("ipBlocks: ['::/0']"),
  ],
  ["token-not-verified", source("requestPrincipals: ['*']"), "warning", `${from}.requestPrincipals`, idp + wanted],
  [
    "token-not-verified",
    when("request.auth.claims[a]", "[b]", "DENY") +
      tokens("jwtRules: [{issuer: a, audiences: [a]}]", "name: b, namespace: bar"),
    "error",
    "spec.rules[0].when[0].values",
    when("request.auth.claims[a]", "[b]", "DENY") + idp,
  ],
  ["token-not-required", idp + source("ipBlocks: [10.0.0.1]"), "warning", "", idp + wanted],
  [
    "issuer-unknown",
    idp + source("requestPrincipals: ['https://idp/*']"),
    "warning",
    `${from}.requestPrincipals[0]`,
    idp + source("requestPrincipals: ['https://idp.example/*']"),
  ],
  [
    "issuer-unknown",
    tokens("jwtRules: [{issuer: 'https://idp.example/', audiences: [a]}]") +
      source("requestPrincipals: ['https://idp.example/a']"),
    "warning",
    `${from}.requestPrincipals[0]`,
    tokens("jwtRules: [{issuer: 'https://idp.example/', audiences: [a]}]") +
      source("requestPrincipals: ['https://idp.example//a']"),
  ],
  [
    "subject-with-slash",
    idp + source("requestPrincipals: ['https://idp.example/repo/a']"),
    "warning",
    `${from}.requestPrincipals[0]`,
    idp + source("requestPrincipals: ['https://idp.example/repo']"),
  ],
  [
    "request-principal-cut",
    idp + source("requestPrincipals: ['https://idp.example*']"),
    "warning",
    `${from}.requestPrincipals[0]`,
    idp + source("requestPrincipals: ['https://idp.example/*']"),
  ],
  [
    "request-principal-cut",
    idp + source("requestPrincipals: [alice]"),
    "warning",
    `${from}.requestPrincipals[0]`,
    idp + source("requestPrincipals: ['*alice']"),
  ],
  [
    "claim-never-matches",
    idp + when("request.auth.claims[scope]", "['a b']"),
    "warning",
    "spec.rules[0].when[0].values[0]",
    idp + when("request.auth.claims[scope]", "['a', 'b']"),
  ],
  [
    "claim-not-text",
    idp + when("request.auth.claims[admin]", "['true']"),
    "note",
    "spec.rules[0].when[0].values[0]",
    idp + when("request.auth.claims[admin]", "['yes']"),
  ],
  [
    "audience-unchecked",
    wanted + tokens("jwtRules: [{issuer: a}]"),
    "warning",
    "spec.jwtRules[0].audiences",
    wanted + tokens("jwtRules: [{issuer: a, audiences: [b]}]"),
  ],
  [
    "jwks-over-http",
    wanted + tokens("jwtRules: [{issuer: a, audiences: [b], jwksUri: 'http://a/k'}]"),
    "warning",
    "spec.jwtRules[0].jwksUri",
    wanted + tokens("jwtRules: [{issuer: a, audiences: [b], jwksUri: 'https://a/k'}]"),
  ],
  [
    "output-claim-dotted",
    wanted +
      tokens("jwtRules: [{issuer: a, audiences: [b], outputClaimToHeaders: [{header: x, claim: 'https://a.b/c'}]}]"),
    "note",
    "spec.jwtRules[0].outputClaimToHeaders[0].claim",
    wanted + tokens("jwtRules: [{issuer: a, audiences: [b], outputClaimToHeaders: [{header: x, claim: a.b}]}]"),
  ],
  [
    "host-without-port",
    operation("hosts: [a.example]"),
    "warning",
    `${to}.hosts`,
    operation("hosts: [a.example, 'a.example:*']"),
  ],
  [
    "host-without-port",
    operation("hosts: [a.example]", "DENY"),
    "error",
    `${to}.hosts`,
    operation("hosts: ['a.example*']", "DENY"),
  ],
  [
    "host-without-port",
    operation("notHosts: ['*.example']"),
    "error",
    `${to}.notHosts`,
    operation("notHosts: ['*.example', '*.example:80']"),
  ],
  [
    "host-syntax",
    operation("hosts: ['https://a.example']"),
    "warning",
    `${to}.hosts[0]`,
    operation("hosts: ['a.example:*']"),
  ],
  [
    "star-is-literal",
    operation("paths: ['/a/*/b']", "DENY"),
    "error",
    `${to}.paths[0]`,
    operation("paths: ['/a/{*}/b']", "DENY"),
  ],
  [
    "star-is-literal",
    operation("hosts: ['*.example:*']"),
    "warning",
    `${to}.hosts[0]`,
    operation("hosts: ['*.example:80']"),
  ],
  [
    "method-case",
    operation("methods: [get]", "DENY"),
    "error",
    `${to}.methods[0]`,
    operation("methods: [GET]", "DENY"),
  ],
  ["method-case", operation("methods: [get]"), "warning", `${to}.methods[0]`, operation("methods: ['G*']")],
  [
    "path-never-matches",
    operation("paths: [admin]", "DENY"),
    "error",
    `${to}.paths[0]`,
    operation("paths: ['*admin']", "DENY"),
  ],
  ["path-never-matches", operation("paths: ['/a?b=c']"), "warning", `${to}.paths[0]`, operation("paths: ['/a']")],
  ["path-never-matches", operation("paths: ['/a/../b']"), "warning", `${to}.paths[0]`, operation("paths: ['/a/..b']")],
  ["path-never-matches", operation("paths: ['/%61']"), "warning", `${to}.paths[0]`, operation("paths: ['/%2F']")],
  ["path-never-matches", operation("paths: ['/ä']"), "warning", `${to}.paths[0]`, operation("paths: ['/%C3%A4']")],
  [
    "path-never-matches",
    operation("paths: ['/a//b']"),
    "warning",
    `${to}.paths[0]`,
    operation("paths: ['/a/b']"),
    "pathNormalization: {normalization: MERGE_SLASHES}",
  ],
  ["path-slashes", operation("notPaths: [/admin]"), "note", `${to}.notPaths`, operation("paths: [/admin]")],
  [
    "header-name",
    when("request.headers[a b]", "[c]"),
    "warning",
    "spec.rules[0].when[0].values",
    when("request.headers[a-b]", "[c]"),
  ],
  [
    "metadata-key",
    when("experimental.envoy.filters.a[b][c]", "[d]", "DENY"),
    "error",
    "spec.rules[0].when[0].values",
    when("experimental.envoy.filters.a[b]", "[d]", "DENY"),
  ],
  [
    "principal-shape",
    strict + source("principals: ['spiffe://a/ns/b/sa/c']", "DENY"),
    "error",
    `${from}.principals[0]`,
    strict + source("principals: ['a/ns/b/sa/c']", "DENY"),
  ],
  [
    "principal-shape",
    strict + source("principals: [ns/b/sa/c]"),
    "warning",
    `${from}.principals[0]`,
    strict + source("principals: ['*/b/sa/c']"),
  ],
  [
    "trust-domain-unknown",
    strict + source("principals: [other/ns/b/sa/c], trustDomains: [prod]"),
    "warning",
    `${from}.principals[0]`,
    strict + source("principals: [cluster.local/ns/b/sa/c, old/ns/b/sa/c, partner/ns/a/sa/b], trustDomains: [prod]"),
    "trustDomain: prod\ntrustDomainAliases: [old]\ncaCertificates: [{spiffeBundleUrl: a.example, trustDomains: [partner]}]",
  ],
  [
    "alias-not-expanded",
    strict + source("principals: ['cluster.local/ns/b/*']"),
    "warning",
    `${from}.principals[0]`,
    strict + source("principals: ['prod/ns/b/*']"),
    "trustDomain: prod",
  ],
  ["provider-unknown", custom("none") + allowNothing, "error", "", custom("ext") + allowNothing, providers("")],
  ["provider-unknown", custom("bad") + allowNothing, "error", "", custom("ext") + allowNothing, providers("")],
  [
    "several-providers",
    custom("ext") + custom("web", "name: b"),
    "warning",
    "",
    custom("ext") + custom("ext", "name: b"),
  ],
  ["provider-http-on-tcp", custom("web"), "note", "", custom("ext"), providers("")],
  ["provider-fails-open", custom("ext"), "note", "", custom("web"), providers(", failOpen: true")],
  ["audit-unseen", policy("action: AUDIT, rules: [{}]"), "note", "", policy("action: DENY, rules: [{}]")],
  [
    "target-ignored",
    policy("targetRefs: [{group: gateway.networking.k8s.io, kind: GatewayClass, name: istio-waypoint}]"),
    "error",
    "spec.targetRefs[0]",
    policy(
      "targetRefs: [{group: gateway.networking.k8s.io, kind: GatewayClass, name: istio-waypoint}]",
      "name: a, namespace: istio-system",
    ),
  ],
  [
    "peer-authentication-ignored",
    peers("selector: {matchLabels: {a: b}}, mtls: {mode: STRICT}", "name: a, namespace: istio-system"),
    "error",
    "spec.selector",
    peers("mtls: {mode: STRICT}", "name: a, namespace: istio-system"),
  ],
  [
    "peer-authentication-shadowed",
    strict + peers("mtls: {mode: PERMISSIVE}", "name: b"),
    "warning",
    "spec.selector",
    strict + peers("mtls: {mode: PERMISSIVE}, selector: {matchLabels: {a: b}}", "name: b"),
  ],
];

describe("lint finds", () => {
  const cases = rows.map(([id, text, severity, path, right, mesh]) => ({ id, text, severity, path, right, mesh }));
  it.each(cases)("$id in $text", ({ id, text, severity, path, right, mesh }) => {
    const found = findings(text, mesh).filter((finding) => finding.id === id);
    expect(found.map((finding) => [finding.severity, finding.path])).toContainEqual([severity, path]);
    expect(findings(right, mesh).filter((finding) => finding.id === id)).toEqual([]);
    for (const { reason, fix, position } of found) {
      expect(reason).not.toMatch(/undefined|\.$/);
      expect(fix.length).toBeGreaterThan(5);
      expect(position.file).toBe("f.yaml");
      expect(position.line).toBeGreaterThan(0);
    }
  });

  it("everything in its catalog, by these tests", () => {
    expect(lintIds.filter((id) => !rows.some(([tested]) => tested === id))).toEqual([]);
    expect(lintIds.length).toBe(Object.keys(lintCatalog).length);
  });
});

it("finds nothing in policies that are as they should be", () => {
  const text = [
    peers("mtls: {mode: STRICT}", "name: default, namespace: istio-system"),
    tokens("jwtRules: [{issuer: 'https://idp.example', audiences: [shop], jwksUri: 'https://idp.example/keys'}]"),
    policy("", "name: allow-nothing"),
    policy(
      "selector: {matchLabels: {app: shop}}, rules: [{from: [{source: {principals: [cluster.local/ns/foo/sa/web], requestPrincipals: ['https://idp.example/*']}}], to: [{operation: {methods: [GET], paths: [/items, /items/*], hosts: [shop.example, 'shop.example:*']}}]}]",
      "name: shop",
    ),
    policy(
      "action: DENY, rules: [{from: [{source: {notNamespaces: [foo]}}], to: [{operation: {ports: ['8080'], paths: ['*/internal']}}]}]",
      "name: internal",
    ),
  ].join("");
  expect(findings(text, "trustDomain: cluster.local")).toEqual([]);
});

it("tells findings in the order of the files", () => {
  const found = findings(policy("rules: [{}, {}]") + policy("action: AUDIT, rules: [{}]", "name: b"));
  expect(found.map(({ id, position }) => [position.line, id])).toEqual([
    [4, "allow-everything"],
    [4, "allow-everything"],
    [4, "rule-shadowed"],
    [6, "audit-unseen"],
  ]);
});

it("says what a document that cannot be read is, as far as that is known", () => {
  const [first] = findings(policy("rule: 1"));
  expect(first).toMatchObject({ document: { kind: "AuthorizationPolicy", namespace: "foo", name: "a" } });
  expect(findings("]")[0]).not.toHaveProperty("document");
});

it("compares ten thousand rules in bounded time", () => {
  const rules = Array.from({ length: 500 }, (_, n) => `{to: [{operation: {paths: [/p${n}]}}]}`).join(", ");
  const text = Array.from({ length: 20 }, (_, n) => policy(`rules: [${rules}]`, `name: p${n}`)).join("");
  expect(findings(text).filter(({ id }) => id === "rule-shadowed")).toHaveLength(9_500);
}, 60_000);

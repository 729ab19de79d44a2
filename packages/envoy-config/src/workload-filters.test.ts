import { type Document, type MeshConfig, parseDocuments, parseMeshConfig, parseWorkload } from "@signet/documents";
import { describe, expect, test } from "vitest";
import { testJwks } from "./test-rules.ts";
import { type WorkloadFiltersOptions, workloadFilterChains, workloadFilters } from "./workload-filters.ts";

function documentsOf(text: string): readonly Document[] {
  const { documents, refused } = parseDocuments(text, { file: "policies.yaml" });
  expect(refused).toEqual([]);
  return documents;
}

function meshConfigOf(text: string): MeshConfig {
  const parsed = parseMeshConfig(text, { file: "mesh.yaml" });
  if (parsed.kind === "refused") throw new Error("the mesh config is refused");
  return parsed.meshConfig;
}

const header = "apiVersion: security.istio.io/v1";
const policy = (name: string, action: string, rest = ""): string =>
  `{${header}, kind: AuthorizationPolicy, metadata: {name: ${name}, namespace: foo}, spec: {action: ${action}, rules: [{}]${rest}}}`;
const all = documentsOf(
  [
    policy("allow", "ALLOW"),
    policy("deny", "DENY"),
    policy("audit", "AUDIT"),
    policy("custom", "CUSTOM", ", provider: {name: ext}"),
    `{${header}, kind: RequestAuthentication, metadata: {name: jwt, namespace: foo}, spec: {jwtRules: [{issuer: a, jwks: '${testJwks}'}]}}`,
  ].join("\n---\n"),
);
const workload = parseWorkload("foo/app=httpbin");
const meshConfig = meshConfigOf(
  "extensionProviders: [{name: ext, envoyExtAuthzGrpc: {service: ext.example, port: 9000}}]\ntrustDomain: td1\ntrustDomainAliases: [td2]",
);

/** Each filter by its name and its action. */
function order(options: WorkloadFiltersOptions): readonly string[] {
  return workloadFilters(all, workload, { meshConfig, ...options }).filters.map(({ name, typedConfig }) => {
    const { action = "ALLOW" } = Object(typedConfig.rules);
    return name.endsWith(".rbac") ? `${name} ${typedConfig.rules === undefined ? "CUSTOM" : action}` : name;
  });
}

const custom = ["envoy.filters.http.rbac CUSTOM", "envoy.filters.http.ext_authz"];
const jwt = "envoy.filters.http.jwt_authn";
const rbac = ["LOG", "DENY", "ALLOW"].map((action) => `envoy.filters.http.rbac ${action}`);

describe("spec 1.1 and 1.2: the order of filters", () => {
  test("of HTTP beside a workload and on a gateway", () => {
    expect(order({})).toEqual([...custom, jwt, ...rbac]);
    expect(order({ listener: "gateway" })).toEqual([...custom, jwt, ...rbac]);
  });

  test("of HTTP with JWT before CUSTOM", () => {
    expect(order({ jwtFirst: true })).toEqual([jwt, ...custom, ...rbac]);
  });

  test("of TCP, which has no JWT", () => {
    const ofTcp = [...custom, ...rbac].map((name) => name.replace("http", "network"));
    expect(order({ listener: "tcp" })).toEqual(ofTcp);
    expect(order({ listener: "tcp", jwtFirst: true })).toEqual(ofTcp);
  });
});

test("a route is chosen anew after claims are known on gateways alone", () => {
  const clears = (listener: "inbound" | "gateway"): unknown => {
    const { filters } = workloadFilters(all, workload, { listener });
    const filter = filters.find(({ name }) => name === jwt);
    return Object(filter?.typedConfig.providers)["origins-0"].clearRouteCache;
  };
  expect([clears("inbound"), clears("gateway")]).toEqual([undefined, true]);
});

test("without a mesh config the trust domain is cluster.local, and istio-system is the root namespace", () => {
  const text = `{${header}, kind: AuthorizationPolicy, metadata: {name: p, namespace: istio-system}, spec: {rules: [{from: [{source: {principals: [cluster.local/ns/a/sa/b]}}]}]}}`;
  const documents = documentsOf(text);
  const principals = (options: WorkloadFiltersOptions): string =>
    JSON.stringify(workloadFilters(documents, workload, options).filters);
  expect(principals({})).toContain('"exact":"spiffe://cluster.local/ns/a/sa/b"');
  expect(principals({ meshConfig: meshConfigOf("rootNamespace: root") })).toBe("[]");
  const withAliases = principals({ meshConfig });
  for (const trustDomain of ["td1", "td2"]) expect(withAliases).toContain(`"spiffe://${trustDomain}/ns/a/sa/b"`);
});

test("documents of other workloads are in no filter", () => {
  expect(workloadFilters(all, parseWorkload("bar/app=httpbin"))).toEqual({ filters: [], warnings: [] });
});

test("what translation leaves out or denies is told", () => {
  const { warnings } = workloadFilters(all, workload, { meshConfig: meshConfigOf("") });
  expect(warnings).toEqual([
    'whatever CUSTOM policies of provider "ext" match will be denied: the mesh config has no such extension provider',
  ]);
});

test.each([
  ["s".repeat(45), 0],
  ["s".repeat(63), 1],
])("a service account %s that needs Envoy's limit raised is told", (account, count) => {
  const documents = documentsOf(
    `{${header}, kind: AuthorizationPolicy, metadata: {name: p, namespace: foo}, spec: {rules: [{from: [{source: {serviceAccounts: ["${account}"]}}]}]}}`,
  );
  expect(workloadFilters(documents, workload).warnings.filter((one) => one.includes("re2"))).toHaveLength(count);
});

test("spec 3.13: principals of a trust domain that nobody knows are told, each once", () => {
  const rules = `[{from: [{source: {principals: ["td1/ns/a/sa/b", "td9/ns/a/sa/b", "*/ns/a/sa/b", "td9/*"]}}], when: [{key: source.principal, notValues: ["td9/ns/a/sa/b", "cluster.local/ns/a/sa/b"]}]}]`;
  const documents = documentsOf(
    `{${header}, kind: AuthorizationPolicy, metadata: {name: p, namespace: foo}, spec: {rules: ${rules}}}`,
  );
  expect(workloadFilters(documents, workload, { meshConfig }).warnings).toEqual([
    `principal "td9/ns/a/sa/b" of policy foo/p is of a trust domain that is neither the mesh's nor an alias`,
  ]);
});

describe("filter chains of a workload", () => {
  const peers = documentsOf(
    [
      `{${header}, kind: PeerAuthentication, metadata: {name: mesh, namespace: istio-system}, spec: {mtls: {mode: STRICT}}}`,
      `{${header}, kind: PeerAuthentication, metadata: {name: own, namespace: foo}, spec: {selector: {matchLabels: {app: httpbin}}, portLevelMtls: {"80": {mode: DISABLE}}}}`,
    ].join("\n---\n"),
  );

  test("follow its PeerAuthentications", () => {
    const ports = workloadFilterChains(peers, workload).map(({ filterChainMatch }) => filterChainMatch.destinationPort);
    expect(ports).toEqual([undefined, undefined, 80, 80]);
    expect(workloadFilterChains([], workload)).toHaveLength(5);
  });

  test("let in peers of the mesh's trust domains, its aliases and those of further authorities", () => {
    const pem = '"-----BEGIN CERTIFICATE-----"';
    const text = `trustDomain: td1\ntrustDomainAliases: [td2, td1]\ncaCertificates: [{pem: ${pem}, trustDomains: [td3]}]`;
    const [first] = workloadFilterChains(peers, workload, { meshConfig: meshConfigOf(text) });
    const names = JSON.stringify(first?.transportSocket).match(/spiffe:[^"]*/g);
    expect(names).toEqual(["spiffe://td1/", "spiffe://td2/", "spiffe://td3/"]);
  });
});

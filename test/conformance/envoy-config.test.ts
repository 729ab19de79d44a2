import {
  type Document,
  type JwtRule,
  type MeshConfig,
  parseDocuments,
  parseMeshConfig,
  parseWorkload,
} from "@signet/documents";
import {
  type JsonMap,
  jwtAuthnFilter,
  type WorkloadFiltersOptions,
  workloadFilterChains,
  workloadFilters,
} from "@signet/envoy-config";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { findTestEnvoy } from "../e2e/support/envoy.ts";
import { envoyProblems, httpManager, tcpChain } from "./validate-envoy.ts";

const envoy = await findTestEnvoy();

const jwks = '{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}';

const position = { file: "rules.yaml", line: 1, column: 1 };
const plainRule: JwtRule = {
  ...{ issuer: "https://issuer.example", audiences: [], fromHeaders: [], fromParams: [], fromCookies: [] },
  ...{ forwardOriginalToken: false, outputClaimToHeaders: [], timeoutMs: 5000, spaceDelimitedClaims: [], position },
};

describe.skipIf(envoy.path === "")(`a real Envoy ${envoy.version}${envoy.skipped}`, () => {
  test("sees what is wrong with a filter, so that its silence means something", async () => {
    const filter = { name: "x", typedConfig: { "@type": "type.googleapis.com/envoy.no.such.Thing" } };
    const chain = { filters: [httpManager([filter])] };
    expect(await envoyProblems(envoy.path, [{ name: "a", filterChains: [chain] }])).toContain("envoy.no.such.Thing");
  });

  test("takes jwt_authn filters of every field", async () => {
    const odd = "\u0000\r\n\u00e9 =;\"'";
    const rules: readonly JwtRule[] = [
      { ...plainRule, jwks },
      { ...plainRule, issuer: "", jwksUri: "https://keys.example/jwks", timeoutMs: 9e15 },
      { ...plainRule, jwksUri: "http://[::1]:8080/jwks", timeoutMs: 1 },
      plainRule,
      { ...plainRule, jwks: '{"keys":[]}' },
      {
        ...plainRule,
        ...{ issuer: odd, audiences: [odd], fromParams: [odd], fromCookies: [odd], spaceDelimitedClaims: [odd], jwks },
        fromHeaders: [
          { name: "x-a", prefix: "" },
          { name: odd, prefix: odd },
          { name: ":authority", prefix: "Bearer " },
          { name: "x", prefix: odd },
        ],
        outputPayloadToHeader: "x-payload",
        forwardOriginalToken: true,
        outputClaimToHeaders: [{ header: "x-user_1", claim: odd }],
      },
    ];
    const filters = [
      ...rules.map((rule) => jwtAuthnFilter([rule], { clearRouteCache: true, jwksFetchedBy: "nobody" })),
      jwtAuthnFilter(rules, { jwksFetchedBy: "envoy" }),
    ].flatMap((translated) => translated.filters);
    const filterChains = filters.map((filter, index) => ({
      filterChainMatch: { destinationPort: index + 1 },
      filters: [httpManager([filter])],
    }));
    const clusters = ["outbound|443||keys.example", "outbound|8080||::1"];
    expect(await envoyProblems(envoy.path, [{ name: "jwt", filterChains }], clusters)).toBe("");
  });

  test("takes RBAC and ext_authz filters of every field, HTTP, HBONE and TCP", async () => {
    const text = policyOfEveryField("ALLOW", everything) + policyOfEveryField("DENY", everything);
    const audit = policyOfEveryField("AUDIT", everything).replace("policy-audit", "audit");
    const custom = policyOfEveryField("CUSTOM", forCustom);
    const documents = documentsOf(text + audit + custom);
    for (const provider of providers) {
      const meshConfig = meshConfigOf(provider);
      const chain = (options: WorkloadFiltersOptions, destinationPort: number): JsonMap => {
        const { filters } = workloadFilters(documents, workload, { meshConfig, ...options });
        expect(filters.length).toBeGreaterThanOrEqual(3);
        const isTcp = options.listener === "tcp";
        return { filterChainMatch: { destinationPort }, filters: isTcp ? tcpChain(filters) : [httpManager(filters)] };
      };
      const filterChains = [
        chain({}, 1),
        chain({ listener: "gateway", peerIdentity: "filter-state" }, 2),
        chain({ listener: "tcp" }, 3),
      ];
      const listener = { name: "rbac", filterChains };
      expect(await envoyProblems(envoy.path, [listener], ["outbound|9000||ext.example"])).toBe("");
    }
  });

  test("takes whatever documents take as a value, each in its field", async () => {
    const odd = fc.string({ unit: fc.constantFrom(..."aé*/.[]{}\\$^?+|() %:@\u0001\n"), minLength: 1, maxLength: 12 });
    const segment = fc.constantFrom("{*}", "{**}", "a", "b.c", "%41", "a=b", "~", "@:;,");
    const template = fc.array(segment, { minLength: 1, maxLength: 5 }).map((parts) => `/${parts.join("/")}`);
    const value = fc.oneof(
      odd,
      template,
      odd.map((text) => `*${text}`),
      odd.map((text) => `${text}*`),
      fc.constant("*"),
    );
    const sampled = fc.sample(fc.tuple(value, value, odd), { seed: 11, numRuns: 120 });
    const taken = sampled.flatMap(([one, other, name], index) => policiesOfValues({ one, other, name, index }));
    expect(taken.length).toBeGreaterThan(600);
    const chains = ["inbound", "tcp"] as const;
    const filterChains = chains.map((listener, index) => {
      const { filters } = workloadFilters(taken, workload, { listener });
      const chain = listener === "tcp" ? tcpChain(filters) : [httpManager(filters)];
      return { filterChainMatch: { destinationPort: index + 1 }, filters: chain };
    });
    expect(await envoyProblems(envoy.path, [{ name: "odd", filterChains }])).toBe("");
  });

  test("takes names as long as they may be", async () => {
    const account = `${"n".repeat(63)}/${"s".repeat(253)}`;
    const sources = [
      `namespaces: ["${"n".repeat(63)}*"]`,
      `serviceAccounts: ["${account}"]`,
      `trustDomains: ["*${"t".repeat(250)}"]`,
    ];
    const from = sources.map((source) => `{source: {${source}}}`).join();
    const documents = documentsOf(policyText("long", `{action: ALLOW, rules: [{from: [${from}]}]}`));
    const filterChains = [{ filters: [httpManager(workloadFilters(documents, workload).filters)] }];
    expect(await envoyProblems(envoy.path, [{ name: "long", filterChains }])).toBe("");
  });

  test("takes filter chains of every mode, with ports of every kind", async () => {
    const peer = (mode: string, rest = ""): string =>
      `---\n{apiVersion: security.istio.io/v1, kind: PeerAuthentication, metadata: {name: p, namespace: foo}, spec: {mtls: {mode: ${mode}}${rest}}}\n`;
    const ports =
      ', selector: {matchLabels: {app: a}}, portLevelMtls: {"80": {mode: STRICT}, "81": {mode: DISABLE}, "82": {mode: PERMISSIVE}}';
    const known = new Map([
      [90, "http"],
      [91, "tcp"],
    ] as const);
    const listeners = ["STRICT", "PERMISSIVE", "DISABLE"].flatMap((mode) =>
      [peer(mode), peer(mode, ports)].map((text, index) => {
        const chains = workloadFilterChains(documentsOf(text), workload, { ports: known });
        const filterChains = chains.map((chain) => ({ ...chain, filters: tcpChain([]) }));
        return { name: `${mode}${index}`, filterChains };
      }),
    );
    expect(await envoyProblems(envoy.path, listeners)).toBe("");
  });
});

const workload = parseWorkload("foo/app=a");

function policyText(name: string, spec: string): string {
  const metadata = `{name: ${name}, namespace: foo}`;
  return `---\n{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: ${metadata}, spec: ${spec}}\n`;
}

function policyOfEveryField(action: string, rules: string): string {
  const provider = action === "CUSTOM" ? ", provider: {name: ext}" : "";
  return policyText(`policy-${action.toLowerCase()}`, `{action: ${action}${provider}, rules: ${rules}}`);
}

function documentsOf(text: string): readonly Document[] {
  const { documents, refused } = parseDocuments(text, { file: "policies.yaml" });
  expect(refused.flatMap(({ problems }) => problems)).toEqual([]);
  return documents;
}

function meshConfigOf(provider: string): MeshConfig {
  const parsed = parseMeshConfig(`extensionProviders: [${provider}]`, { file: "mesh.yaml" });
  if (parsed.kind === "refused") throw new Error("the mesh config is refused");
  return parsed.meshConfig;
}

const strings = '["*", "a", "a*", "*a"]';
const addresses = '["10.0.0.1", "10.0.0.1/8", "::1", "2001:db8::/32", "::ffff:10.0.0.1/128", "0.0.0.0/0"]';
const both = (name: string, values: string): string =>
  `${name}: ${values}, not${name.charAt(0).toUpperCase()}${name.slice(1)}: ${values}`;
const operation = [
  both("hosts", strings),
  both("methods", strings),
  both("paths", '["*", "/a", "/a*", "*/a", "/a/{*}/{**}/b"]'),
  both("ports", '["0", "80", "65535"]'),
].join();
const addressesOfSource = [both("ipBlocks", addresses), both("remoteIpBlocks", addresses)].join();
const source = [
  both("principals", strings),
  both("requestPrincipals", '["*", "a/b", "*/b", "a/*", "*a", "a*", "a", "*a/b", "a/b*", "/"]'),
  both("namespaces", '["*", "a", "a*b*"]'),
  both("trustDomains", strings),
  addressesOfSource,
].join();
const when = (key: string, values: string): string => `{key: "${key}", values: ${values}, notValues: ${values}}`;
const conditionsOfRequest = [
  when("request.headers[x-a]", strings),
  when("request.headers[:path]", strings),
  when("source.ip", addresses),
  when("remote.ip", addresses),
  when("destination.ip", addresses),
  when("destination.port", '["80"]'),
  when("connection.sni", strings),
  when("experimental.envoy.filters.a.b[k]", '["v", "[v]", "[*]", "*"]'),
].join();
const conditions = [
  conditionsOfRequest,
  when("source.namespace", strings),
  when("source.serviceAccount", '["a", "a/b"]'),
  when("source.trustDomain", strings),
  when("source.principal", strings),
  when("request.auth.principal", '["*", "a/b"]'),
  when("request.auth.audiences", strings),
  when("request.auth.presenter", strings),
  when("request.auth.claims[a]", strings),
  when("request.auth.claims[a][https://b.c/d]", strings),
].join();
const accounts = `{source: {${both("serviceAccounts", '["a", "a/b"]')}}}`;
const to = `to: [{operation: {${operation}}}, {operation: {ports: ["1"]}}]`;
const everything = `[{}, {from: [{source: {${source}}}, ${accounts}], ${to}, when: [${conditions}]}]`;
const forCustom = `[{}, {from: [{source: {${addressesOfSource}}}], ${to}, when: [${conditionsOfRequest}]}]`;

const callOfBoth =
  'service: ext.example, port: 9000, timeout: 0.25s, failOpen: true, statusOnError: "503", ' +
  "includeRequestBodyInCheck: {maxRequestBytes: 4096, allowPartialMessage: true, packAsBytes: true}";
const lists = [
  "includeRequestHeadersInCheck",
  "headersToUpstreamOnAllow",
  "headersToDownstreamOnDeny",
  "headersToDownstreamOnAllow",
];
const providers = [
  `{name: ext, envoyExtAuthzGrpc: {${callOfBoth}}}`,
  `{name: ext, envoyExtAuthzHttp: {${callOfBoth}, pathPrefix: /a, includeAdditionalHeadersInCheck: {x: y}, ${lists.map((name) => `${name}: ["a", "a*", "*a"]`).join()}}}`,
  "{name: other, envoyExtAuthzGrpc: {service: ext.example, port: 9000}}",
];

type OddValues = { readonly one: string; readonly other: string; readonly name: string; readonly index: number };

/** A policy of one field each, as far as documents take them. */
function policiesOfValues({ one, other, name, index }: OddValues): readonly Document[] {
  const values = JSON.stringify([one, other]);
  const key = (prefix: string): string => JSON.stringify(`${prefix}[${name}]`);
  const rules = [
    ...["hosts", "methods", "paths", "ports"].map((field) => `to: [{operation: {${field}: ${values}}}]`),
    ...["principals", "requestPrincipals", "namespaces", "serviceAccounts", "trustDomains", "ipBlocks"].map(
      (field) => `from: [{source: {${field}: ${values}}}]`,
    ),
    ...["request.headers", "request.auth.claims", "experimental.envoy.filters.a"].map(
      (prefix) => `when: [{key: ${key(prefix)}, values: ${values}}]`,
    ),
    ...["connection.sni", "request.auth.audiences", "source.principal"].map(
      (attribute) => `when: [{key: ${attribute}, values: ${values}}]`,
    ),
  ];
  const text = rules.map((rule, at) => policyText(`p-${index}-${at}`, `{action: DENY, rules: [{${rule}}]}`)).join("");
  return parseDocuments(text, { file: "odd.yaml" }).documents;
}

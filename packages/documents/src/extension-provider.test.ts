import { describe, expect, it } from "vitest";
import { describeProblem } from "./document-problem.ts";
import type { ExtensionProvider } from "./extension-provider.ts";
import { type MeshConfig, parseMeshConfig } from "./mesh-config.ts";

function meshConfig(text: string): MeshConfig {
  const parsed = parseMeshConfig(text, { file: "mesh.yaml" });
  if (parsed.kind === "refused") throw new Error(parsed.problems.map(describeProblem).join("\n"));
  return parsed.meshConfig;
}

const providers = (text: string): readonly ExtensionProvider[] => meshConfig(text).extensionProviders;

/** What is said of one provider, written as a flow map. */
function problemsOf(provider: string): readonly string[] {
  const [read, ...more] = providers(`extensionProviders:\n- ${provider}\n`);
  expect(more).toEqual([]);
  return read?.kind === "invalid" ? read.problems.map(describeProblem) : [];
}

const grpc = (rest = ""): string => `{name: a, envoyExtAuthzGrpc: {service: ext.foo.svc, port: 9000${rest}}}`;
const http = (rest = ""): string => `{name: a, envoyExtAuthzHttp: {service: ext.foo.svc, port: 9000${rest}}}`;

describe("parseMeshConfig reads extension providers:", () => {
  it("one of gRPC, with Istio's defaults and with every field", () => {
    const text = `extensionProviders:
- name: opa
  envoyExtAuthzGrpc: {service: foo/ext.foo.svc.cluster.local, port: "9000"}
- name: tracing
  zipkin: {service: zipkin, port: 9411}
- name: full-0
  envoy_ext_authz_grpc:
    service: 10.0.0.1
    port: 65535
    timeout: 0.25s
    failOpen: true
    clear_route_cache: true
    statusOnError: "503"
    includeRequestBodyInCheck: {maxRequestBytes: 4096, allowPartialMessage: true, packAsBytes: true}
`;
    expect(providers(text)).toEqual([
      {
        kind: "grpc",
        name: "opa",
        service: { namespace: "foo", host: "ext.foo.svc.cluster.local" },
        port: 9_000,
        timeoutMs: 600_000,
        failOpen: false,
        clearRouteCache: false,
        position: { file: "mesh.yaml", line: 2, column: 3 },
      },
      {
        kind: "grpc",
        name: "full-0",
        service: { host: "10.0.0.1" },
        port: 65_535,
        timeoutMs: 250,
        failOpen: true,
        clearRouteCache: true,
        statusOnError: 503,
        body: { maxRequestBytes: 4_096, allowPartialMessage: true, packAsBytes: true },
        position: { file: "mesh.yaml", line: 6, column: 3 },
      },
    ]);
  });

  it("one of HTTP, whose older list of headers counts where the newer one is empty", () => {
    const text = `extensionProviders:
- name: a
  envoyExtAuthzHttp:
    service: ext
    port: 80
    pathPrefix: /check
    includeHeadersInCheck: [old]
    includeRequestHeadersInCheck: [x-*, "*-id", cookie]
    includeAdditionalHeadersInCheck: {x-from: mesh}
    headersToUpstreamOnAllow: [x-user]
    headersToDownstreamOnDeny: [set-cookie]
    headersToDownstreamOnAllow: [x-ok]
- name: b
  envoyExtAuthzHttp: {service: ext, port: 80, includeHeadersInCheck: [old]}
`;
    expect(providers(text)).toMatchObject([
      {
        kind: "http",
        pathPrefix: "/check",
        includeRequestHeadersInCheck: ["x-*", "*-id", "cookie"],
        includeAdditionalHeadersInCheck: new Map([["x-from", "mesh"]]),
        headersToUpstreamOnAllow: ["x-user"],
        headersToDownstreamOnDeny: ["set-cookie"],
        headersToDownstreamOnAllow: ["x-ok"],
      },
      { kind: "http", pathPrefix: "", includeRequestHeadersInCheck: ["old"], headersToUpstreamOnAllow: [] },
    ]);
  });

  it("one that is right as no problem", () => {
    expect(problemsOf(grpc())).toEqual([]);
    expect(problemsOf(http())).toEqual([]);
  });
});

describe("section 6.5 of the rules of validation: a provider is invalid, and the rest of the mesh config is not, for", () => {
  const at = "extensionProviders[0]";
  it.each<[string, string, string]>([
    [
      "no name",
      "{envoyExtAuthzGrpc: {service: a, port: 1}}",
      `${at} is not valid: extension provider name must not be`,
    ],
    [
      "a name in capitals",
      grpc().replace("name: a", "name: Ab"),
      "2:10: extensionProviders[0].name is not valid: invalid",
    ],
    ["a name of 64 characters", grpc().replace("name: a", `name: ${"a".repeat(64)}`), "invalid provider name"],
    ["a name with a hyphen at its end", grpc().replace("name: a", "name: a-"), "invalid provider name"],
    [
      "two kinds at once",
      "{name: a, envoyExtAuthzGrpc: {service: a, port: 1}, envoyExtAuthzHttp: {}}",
      "more than one",
    ],
    ["no service", "{name: a, envoyExtAuthzGrpc: {port: 1}}", "service must not be empty"],
    ["a service that is no host", grpc().replace("ext.foo.svc", "a_b!"), "invalid service a_b!"],
    ["a service with two slashes", grpc().replace("ext.foo.svc", "a/b/c"), "invalid service a/b/c"],
    ["a service with an empty namespace", grpc().replace("ext.foo.svc", "/b"), "invalid service /b"],
    ["no port", "{name: a, envoyExtAuthzHttp: {service: a}}", "port must be in the range [1, 65535], found: 0"],
    ["port 65536", grpc().replace("9000", "65536"), "port must be in the range [1, 65535], found: 65536"],
    ["a port that is none", grpc().replace("9000", "http"), "is no whole number"],
    ["an unknown status", grpc(', statusOnError: "418"'), "unsupported statusOnError 418"],
    ["status 0, which Envoy refuses", grpc(', statusOnError: "0"'), "unsupported statusOnError 0"],
    ["a timeout of nothing", grpc(", timeout: 0s"), "duration must be greater than 1ms"],
    ["a body of no bytes", grpc(", includeRequestBodyInCheck: {}"), "maxRequestBytes must be greater than 0"],
    ["a path prefix without a slash", http(", pathPrefix: check"), 'pathPrefix must begin with `/`, found: "check"'],
    ["a path prefix that is no path", http(', pathPrefix: "/a b"'), "invalid pathPrefix"],
    ["a lone star", http(', headersToUpstreamOnAllow: ["*"]'), 'a single wildcard ("*") is not supported'],
    ["a lone star in the older list", http(', includeHeadersInCheck: ["*"]'), "a single wildcard"],
    ["the name of no header", http(", includeAdditionalHeadersInCheck: {a b: c}"), "it is the name of no header"],
    ["two lines as a value", http(', includeAdditionalHeadersInCheck: {a: "b\\nc"}'), "is one line"],
  ])("%s", (_, provider, problem) => {
    const problems = problemsOf(provider);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(problem);
  });

  it("a name that two of them have, which makes both invalid, and a third one is not", () => {
    const text = `extensionProviders:\n- ${grpc()}\n- ${http()}\n- ${grpc().replace("name: a", "name: b")}\n`;
    const read = providers(text);
    expect(read.map(({ kind, name }) => [kind, name])).toEqual([
      ["invalid", "a"],
      ["invalid", "a"],
      ["grpc", "b"],
    ]);
    const problems = read.flatMap((provider) => (provider.kind === "invalid" ? provider.problems : []));
    expect(problems.map(({ line, message }) => [line, message.includes("must be unique")])).toEqual([
      [2, true],
      [3, true],
    ]);
  });
});

it("reads path normalization, trusted proxies and the least version of TLS", () => {
  const text = `
pathNormalization: {normalization: DECODE_AND_MERGE_SLASHES}
defaultConfig: {gatewayTopology: {numTrustedProxies: 2}}
meshMTLS: {minProtocolVersion: TLSV1_3}
`;
  expect(meshConfig(text)).toMatchObject({
    pathNormalization: "DECODE_AND_MERGE_SLASHES",
    numTrustedProxies: 2,
    minTlsVersion: "TLSV1_3",
  });
  expect(meshConfig("mesh_mTLS: {min_protocol_version: TLSV1_2}").minTlsVersion).toBe("TLSV1_2");
});

it.each([
  [
    "pathNormalization: {normalization: base}",
    "1:36: pathNormalization.normalization is not valid: it is none of DEFAULT",
  ],
  [
    "meshMTLS: {minProtocolVersion: TLSV1_1}",
    "minProtocolVersion is not valid: it is none of TLS_AUTO, TLSV1_2, TLSV1_3",
  ],
  ["defaultConfig: {gatewayTopology: {numTrustedProxies: -1}}", "numTrustedProxies is no whole number"],
  ["extensionProviders: [null]", "extensionProviders[0] is nothing, and not a map"],
])("refuses a mesh config with %s", (text, problem) => {
  const parsed = parseMeshConfig(text, { file: "mesh.yaml" });
  expect(parsed.kind === "refused" ? parsed.problems.map(describeProblem) : []).toEqual([
    expect.stringContaining(problem),
  ]);
});

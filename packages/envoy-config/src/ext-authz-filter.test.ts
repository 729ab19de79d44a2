import { type ExtensionProvider, parseMeshConfig } from "@signet/documents";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { EnvoyFilters } from "./envoy-filter.ts";
import { type ExtAuthzOptions, extAuthzFilters } from "./ext-authz-filter.ts";
import { policiesOf } from "./test-policies.ts";

const trustDomains = ["cluster.local"];

/** Providers in YAML, one a line. */
function providers(...entries: readonly string[]): readonly ExtensionProvider[] {
  const parsed = parseMeshConfig(`extensionProviders: [${entries.join()}]`, { file: "mesh.yaml" });
  if (parsed.kind === "refused") throw new Error("the mesh config is refused");
  return parsed.meshConfig.extensionProviders;
}

const grpc = (name: string, rest = ""): string =>
  `{name: ${name}, envoyExtAuthzGrpc: {service: foo/ext.foo.svc.cluster.local, port: 9000${rest}}}`;
const http = (name: string, rest = ""): string =>
  `{name: ${name}, envoyExtAuthzHttp: {service: ext.example, port: 8000${rest}}}`;

/** A CUSTOM policy of each provider, which asks about its own port. */
function filtersOf(names: readonly string[], options: Partial<ExtAuthzOptions> = {}): EnvoyFilters {
  const spec = (name: string): string =>
    `{action: CUSTOM, provider: {name: ${name}}, rules: [{to: [{operation: {ports: ["80"]}}]}]}`;
  const documents = names.map(
    (name, at) =>
      `{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: p${at}}, spec: ${spec(name)}}`,
  );
  const policies = policiesOf(documents.join("\n---\n"));
  return extAuthzFilters(policies, { trustDomains, extensionProviders: [], ...options });
}

const policy = {
  permissions: [{ andRules: { rules: [{ orRules: { rules: [{ destinationPort: 80 }] } }] } }],
  principals: [{ andIds: { ids: [{ any: true }] } }],
};

const marks = (kind: "http" | "network", provider: string, more: object = {}): object => ({
  name: `envoy.filters.${kind}.rbac`,
  typedConfig: {
    "@type": `type.googleapis.com/envoy.extensions.filters.${kind}.rbac.v3.RBAC`,
    shadowRules: { action: "DENY", policies: { [`istio-ext-authz-${provider}-ns[foo]-policy[p0]-rule[0]`]: policy } },
    shadowRulesStatPrefix: "istio_ext_authz_",
    ...more,
  },
});

const asks = (kind: "http" | "network", provider: string, config: object): object => ({
  name: `envoy.filters.${kind}.ext_authz`,
  typedConfig: {
    "@type": `type.googleapis.com/envoy.extensions.filters.${kind}.ext_authz.v3.ExtAuthz`,
    transportApiVersion: "V3",
    filterEnabledMetadata: {
      filter: `envoy.filters.${kind}.rbac`,
      path: [{ key: "istio_ext_authz_shadow_effective_policy_id" }],
      value: { stringMatch: { prefix: `istio-ext-authz-${provider}` } },
    },
    ...config,
  },
});

const service = (timeout = "600s"): object => ({
  envoyGrpc: {
    clusterName: "outbound|9000||ext.foo.svc.cluster.local",
    authority: "ext.foo.svc.cluster.local",
  },
  timeout,
});

describe("spec 3.14 and 7.4: a provider of gRPC", () => {
  test("is asked about what its rules have marked", () => {
    expect(filtersOf(["ext"], { extensionProviders: providers(grpc("ext")) })).toEqual({
      filters: [marks("http", "ext"), asks("http", "ext", { grpcService: service() })],
      warnings: [],
    });
  });

  test("has every field", () => {
    const body = "{maxRequestBytes: 4096, allowPartialMessage: true, packAsBytes: true}";
    const rest = `, timeout: 0.25s, failOpen: true, statusOnError: "503", includeRequestBodyInCheck: ${body}`;
    expect(filtersOf(["ext"], { extensionProviders: providers(grpc("ext", rest)) }).filters[1]).toEqual(
      asks("http", "ext", {
        grpcService: service("0.25s"),
        failureModeAllow: true,
        statusOnError: { code: "ServiceUnavailable" },
        withRequestBody: { maxRequestBytes: 4096, allowPartialMessage: true, packAsBytes: true },
      }),
    );
  });

  test("is asked about TCP too, without a status", () => {
    const extensionProviders = providers(grpc("ext", ', failOpen: true, statusOnError: "503"'));
    expect(filtersOf(["ext"], { extensionProviders, protocol: "tcp" }).filters).toEqual([
      marks("network", "ext", { statPrefix: "tcp." }),
      asks("network", "ext", { grpcService: service(), failureModeAllow: true, statPrefix: "tcp." }),
    ]);
  });
});

describe("spec 3.14 and 7.4: a provider of HTTP", () => {
  const uri = { uri: "http://ext.example", cluster: "outbound|8000||ext.example", timeout: "600s" };

  test("is asked about what its rules have marked", () => {
    expect(filtersOf(["ext"], { extensionProviders: providers(http("ext")) }).filters).toEqual([
      marks("http", "ext"),
      asks("http", "ext", { httpService: { serverUri: uri } }),
    ]);
  });

  test("has every field, added headers by name", () => {
    const rest =
      ', pathPrefix: /check, includeRequestHeadersInCheck: [a, "b*", "*c"], ' +
      "includeAdditionalHeadersInCheck: {y: w, x: v}, headersToUpstreamOnAllow: [d], " +
      "headersToDownstreamOnDeny: [e], headersToDownstreamOnAllow: [f]";
    const pattern = (how: object): object => ({ ...how, ignoreCase: true });
    const only = (exact: string): object => ({ patterns: [pattern({ exact })] });
    expect(filtersOf(["ext"], { extensionProviders: providers(http("ext", rest)) }).filters[1]).toEqual(
      asks("http", "ext", {
        httpService: {
          serverUri: uri,
          pathPrefix: "/check",
          authorizationRequest: {
            headersToAdd: [
              { key: "x", value: "v" },
              { key: "y", value: "w" },
            ],
          },
          authorizationResponse: {
            allowedUpstreamHeaders: only("d"),
            allowedClientHeaders: only("e"),
            allowedClientHeadersOnSuccess: only("f"),
          },
        },
        allowedHeaders: { patterns: [{ exact: "a" }, { prefix: "b" }, { suffix: "c" }].map(pattern) },
      }),
    );
  });

  test("is never asked about TCP", () => {
    expect(filtersOf(["ext"], { extensionProviders: providers(http("ext")), protocol: "tcp" }).filters).toEqual([]);
  });
});

describe("spec 3.14: a bad provider", () => {
  const denial = (kind: "http" | "network", provider: string, at = 0, more: object = {}): object => ({
    name: `envoy.filters.${kind}.rbac`,
    typedConfig: {
      "@type": `type.googleapis.com/envoy.extensions.filters.${kind}.rbac.v3.RBAC`,
      rules: {
        action: "DENY",
        policies: {
          [`istio-ext-authz-${provider}-ns[foo]-policy[p${at}]-rule[0]-deny-due-to-bad-CUSTOM-action`]: policy,
        },
      },
      ...more,
    },
  });

  test.each([
    ["there is none of that name", providers(grpc("other"))],
    ["it is invalid", providers(grpc("ext", ', statusOnError: "418"'))],
    ["its name is no label", providers(grpc("Ext")).map((provider) => ({ ...provider, name: "ext" }))],
    ["two have the name", providers(grpc("ext"), http("ext"))],
    ["two have the name, and neither says it is invalid", [...providers(grpc("ext")), ...providers(grpc("ext"))]],
  ])("denies what it would be asked about, on HTTP and TCP: %s", (_name, extensionProviders) => {
    const { filters, warnings } = filtersOf(["ext"], { extensionProviders });
    expect(filters).toEqual([denial("http", "ext")]);
    expect(warnings).toEqual([
      expect.stringContaining('whatever CUSTOM policies of provider "ext" match will be denied'),
    ]);
    expect(filtersOf(["ext"], { extensionProviders, protocol: "tcp" }).filters).toEqual([
      denial("network", "ext", 0, { statPrefix: "tcp." }),
    ]);
  });

  test("several providers are denied, each by its rules", () => {
    const { filters, warnings } = filtersOf(["b", "a"], { extensionProviders: providers(grpc("a"), grpc("b")) });
    expect(filters).toEqual([denial("http", "a", 1), denial("http", "b", 0)]);
    expect(warnings).toEqual([expect.stringContaining('there is more than one provider: "a", "b"')]);
  });
});

describe("several providers that are each asked", () => {
  const triggers = (names: readonly string[]): readonly string[] => {
    const extensionProviders = providers(...names.map((name) => grpc(name)));
    const { filters } = filtersOf(names, { extensionProviders, severalProviders: true });
    return filters.flatMap(({ typedConfig }) => {
      const { filterEnabledMetadata } = Object(typedConfig);
      return filterEnabledMetadata === undefined ? [] : [filterEnabledMetadata.value.stringMatch.prefix];
    });
  };

  test("stand in the order of their names", () => {
    expect(triggers(["b", "a"])).toEqual(["istio-ext-authz-a", "istio-ext-authz-b"]);
  });

  test("are triggered by their own rules alone, whatever they are called", () => {
    expect(triggers(["a", "a-n"])).toEqual(["istio-ext-authz-a-ns[", "istio-ext-authz-a-n-ns["]);
    const name = fc
      .array(fc.constantFrom("a", "n", "s", "-"), { minLength: 1, maxLength: 7 })
      .map((all) => `x${all.join("")}x`);
    fc.assert(
      fc.property(fc.uniqueArray(name, { minLength: 2, maxLength: 5 }), (names) => {
        const sorted = [...names].sort();
        const ids = sorted.map((own) => `istio-ext-authz-${own}-ns[foo]-policy[p]-rule[0]`);
        for (const [index, trigger] of triggers(names).entries()) {
          expect(ids.filter((id) => id.startsWith(trigger))).toEqual([ids[index]]);
        }
      }),
      { seed: 3, numRuns: 100 },
    );
    expect(triggers(["a", "a-ns", "a-n"])).toHaveLength(3);
  });

  test("are denied where one of them is bad, by its own rules alone", () => {
    const { filters } = filtersOf(["a", "b"], { extensionProviders: providers(grpc("b")), severalProviders: true });
    expect(filters.map(({ name }) => name)).toEqual([
      "envoy.filters.http.rbac",
      "envoy.filters.http.rbac",
      "envoy.filters.http.ext_authz",
    ]);
  });
});

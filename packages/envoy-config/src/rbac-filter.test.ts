import { describe, expect, test } from "vitest";
import { rbacFilters } from "./rbac-filter.ts";
import { anyRule, policy } from "./test-policies.ts";
import { all, allIds, any, one, translated } from "./test-shapes.ts";

const trustDomains = ["cluster.local"];

describe("spec 3.2 and 7.2: the filters", () => {
  const options = { trustDomains };
  const nothing = { permissions: [{ notRule: any }], principals: [{ notId: any }] };
  const anything = { permissions: [all(any)], principals: [allIds(any)] };
  const id = "ns[foo]-policy[p]-rule[0]";

  test("of no policies are none", () => {
    expect(rbacFilters([], options)).toEqual({ filters: [], warnings: [] });
  });

  test.each([
    ["ALLOW without rules matches nothing", "", "ALLOW", { policies: { [id]: nothing } }],
    ["AUDIT without rules matches nothing", "", "AUDIT", { action: "LOG", policies: { [id]: nothing } }],
    ["rules: [] are none", "[]", "ALLOW", { policies: { [id]: nothing } }],
    ["rules: [{}] match everything", "[{}]", "ALLOW", { policies: { [id]: anything } }],
    ["an empty DENY rule", "[{}]", "DENY", { action: "DENY", policies: { [id]: anything } }],
    ["an empty AUDIT rule", "[{}]", "AUDIT", { action: "LOG", policies: { [id]: anything } }],
    ["from: [] and to: [] are absent", "[{from: [], to: []}]", "ALLOW", { policies: { [id]: anything } }],
  ])("%s", (_name, rules, action, expected) => {
    expect(rbacFilters([policy(rules, { action })], options).filters).toEqual([
      {
        name: "envoy.filters.http.rbac",
        typedConfig: {
          "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
          rules: expected,
          shadowRulesStatPrefix: "istio_dry_run_allow_",
        },
      },
    ]);
  });

  test("DENY without rules, which documents refuse, matches nothing", () => {
    const { filters } = rbacFilters([{ ...policy(""), action: "DENY" }], options);
    expect(filters[0]?.typedConfig.rules).toEqual({ action: "DENY", policies: { [id]: nothing } });
  });

  test("stand in the order LOG, DENY, ALLOW, and CUSTOM is none of them", () => {
    const policies = ["CUSTOM", "ALLOW", "DENY", "AUDIT"].map((action) => policy("[{}]", { action }));
    expect(rbacFilters(policies, options).filters.map(({ typedConfig }) => Object(typedConfig.rules).action)).toEqual([
      "LOG",
      "DENY",
      undefined,
    ]);
  });

  test("of TCP have a name, type and statistics of their own", () => {
    expect(rbacFilters([policy("[{}]")], { ...options, protocol: "tcp" }).filters).toEqual([
      {
        name: "envoy.filters.network.rbac",
        typedConfig: {
          "@type": "type.googleapis.com/envoy.extensions.filters.network.rbac.v3.RBAC",
          rules: { policies: { [id]: anything } },
          shadowRulesStatPrefix: "istio_dry_run_allow_",
          statPrefix: "tcp.",
        },
      },
    ]);
  });

  test.each([
    ["ALLOW", "istio_dry_run_allow_", {}],
    ["DENY", "istio_dry_run_deny_", { action: "DENY" }],
  ])("of %s with dry-run are shadow rules", (action, prefix, rules) => {
    const shadow = { ...rules, policies: { "ns[foo]-policy[s]-rule[0]": anything } };
    const dry = policy("[{}]", { action, dryRun: true, name: "s" });
    const [alone] = rbacFilters([dry], options).filters;
    expect(alone?.typedConfig).toEqual({
      "@type": expect.any(String),
      shadowRules: shadow,
      shadowRulesStatPrefix: prefix,
    });
    const [both] = rbacFilters([policy("[{}]", { action }), dry], options).filters;
    expect(both?.typedConfig).toMatchObject({ rules: { policies: { [id]: anything } }, shadowRules: shadow });
  });

  test("ask rules in the order of the octets of their ids", () => {
    const rules = `[${Array.from({ length: 11 }, () => "{}").join()}]`;
    const [filter] = rbacFilters([policy(rules, { name: "q" }), policy("[{}]")], options).filters;
    const ids = Object.keys(Object(filter?.typedConfig.rules).policies);
    expect(ids).toEqual([...ids].sort());
    expect(ids.slice(0, 4)).toEqual(
      [id, "ns[foo]-policy[q]-rule[0]", "ns[foo]-policy[q]-rule[10]", "ns[foo]-policy[q]-rule[1]"].sort(),
    );
  });

  test("lose neither of two documents of one name", () => {
    const twice = [
      policy("[{}]", { action: "DENY" }),
      policy(`[{to: [{operation: {ports: ["1"]}}]}]`, { action: "DENY" }),
    ];
    const [filter] = rbacFilters(twice, options).filters;
    expect(Object.keys(Object(filter?.typedConfig.rules).policies)).toEqual([id, `${id}-again[1]`]);
  });
});

describe("spec 3.10: TCP", () => {
  const rules = (action: string, rule: string): unknown =>
    rbacFilters([policy(`[${rule}]`, { action })], { trustDomains, protocol: "tcp" }).filters[0]?.typedConfig.rules;
  const http = [
    "to: [{operation: {hosts: [a]}}]",
    "to: [{operation: {notMethods: [GET]}}]",
    "to: [{operation: {paths: [/a]}}]",
    "from: [{source: {requestPrincipals: [a/b]}}]",
    `when: [{key: "request.headers[a]", values: [b]}]`,
    "when: [{key: request.auth.principal, notValues: [b]}]",
    "when: [{key: request.auth.audiences, values: [b]}]",
    "when: [{key: request.auth.presenter, values: [b]}]",
    `when: [{key: "request.auth.claims[a]", values: [b]}]`,
  ];
  const id = "ns[foo]-policy[p]-rule[0]";

  test.each(http)("%s: an ALLOW rule goes, and nothing is let through", (rule) => {
    expect(rules("ALLOW", `{${rule}}`)).toEqual({});
  });

  test.each(http)("%s: a DENY rule is about every connection", (rule) => {
    const policies = { [id]: { permissions: [all(any)], principals: [allIds(any)] } };
    expect(rules("DENY", `{${rule}}`)).toEqual({ action: "DENY", policies });
    expect(rules("AUDIT", `{${rule}}`)).toEqual({ action: "LOG", policies });
  });

  test("one alternative that is HTTP takes an ALLOW rule with it, and no other rule", () => {
    const mixed = `{to: [{operation: {ports: ["80"]}}, {operation: {ports: ["90"], methods: [GET]}}]}`;
    const ports = [all(one({ destinationPort: 80 })), all(one({ destinationPort: 90 }))];
    expect(rules("ALLOW", `${mixed}, {}`)).toMatchObject({ policies: { "ns[foo]-policy[p]-rule[1]": {} } });
    expect(rules("ALLOW", `${mixed}, {}`)).not.toHaveProperty(["policies", id]);
    expect(rules("DENY", mixed)).toMatchObject({ policies: { [id]: { permissions: ports } } });
  });

  test("everything of the connection is asked", () => {
    const when = `[{key: connection.sni, values: [a]}, {key: "experimental.envoy.filters.a[k]", values: [v]}]`;
    const source =
      "{principals: [p], namespaces: [n], trustDomains: [t], ipBlocks: [10.0.0.1], remoteIpBlocks: [10.0.0.2]}";
    const rule = `{from: [{source: ${source}}], to: [{operation: {ports: ["1"]}}], when: ${when}}`;
    expect(rules("ALLOW", rule)).toEqual({ policies: { [id]: translated(rule) } });
  });

  test("what is left out is told", () => {
    const { warnings } = rbacFilters(
      [
        policy(`[{to: [{operation: {methods: [GET, PUT]}}]}]`),
        policy(`[{to: [{operation: {methods: [GET, PUT]}}]}]`, { action: "DENY" }),
      ],
      { trustDomains, protocol: "tcp" },
    );
    expect(warnings).toEqual([
      "rule 0 of DENY policy foo/p matches more in the tcp filters: methods: a TCP connection has no such thing",
      "rule 0 of ALLOW policy foo/p is left out of the tcp filters: methods: a TCP connection has no such thing",
    ]);
  });
});

describe("values that Envoy would refuse, and the listener with them", () => {
  const bad: readonly [string, string, readonly string[]][] = [
    ["a header of no request", "request.headers[a\n]", ["v"]],
    ["a claim without a name", "request.auth.claims[a][]", ["v"]],
    ["no text in UTF-8", "request.headers[a]", ["\ud800"]],
    ["no address", "source.ip", ["10.0.0.256"]],
    ["a range that is too long", "source.ip", ["10.0.0.0/33"]],
    ["an address with a zone", "remote.ip", ["fe80::1%eth0"]],
    ["no port", "destination.port", ["65536"]],
    ["no number", "destination.port", ["+1"]],
    ["no attribute", "source.mac", ["v"]],
    ["an attribute without its bracket", "request.headersX[a]", ["v"]],
  ];

  test.each(bad)("%s: an ALLOW rule goes, a DENY rule matches without it", (_name, key, values) => {
    const when = [{ ...anyRule, key, values, notValues: [] }];
    const given = (action: "ALLOW" | "DENY"): unknown => {
      const { filters, warnings } = rbacFilters([{ ...policy("[{}]"), action, rules: [{ ...anyRule, when }] }], {
        trustDomains,
      });
      expect(warnings).toHaveLength(1);
      return filters[0]?.typedConfig.rules;
    };
    const anything = { permissions: [all(any)], principals: [allIds(any)] };
    expect(given("ALLOW")).toEqual({});
    expect(given("DENY")).toEqual({ action: "DENY", policies: { "ns[foo]-policy[p]-rule[0]": anything } });
  });

  test("of several values the others stay in a DENY rule", () => {
    const when = [{ ...anyRule, key: "destination.port", values: ["x", "80"], notValues: ["y"] }];
    const { filters } = rbacFilters([{ ...policy("[{}]"), action: "DENY", rules: [{ ...anyRule, when }] }], {
      trustDomains,
    });
    expect(filters[0]?.typedConfig.rules).toMatchObject({
      policies: { "ns[foo]-policy[p]-rule[0]": { permissions: [all(one({ destinationPort: 80 }))] } },
    });
  });
});

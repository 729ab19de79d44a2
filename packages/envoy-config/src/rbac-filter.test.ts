import { describe, expect, test } from "vitest";
import { type RbacOptions, rbacFilters } from "./rbac-filter.ts";
import { anyRule, policy } from "./test-policies.ts";

const trustDomains = ["cluster.local"];

/** The one Envoy policy that a rule in YAML makes. */
function translated(rule: string, options: Partial<RbacOptions> & { readonly action?: string } = {}): unknown {
  const { action = "ALLOW", ...others } = options;
  const { filters } = rbacFilters([policy(`[${rule}]`, { action })], { trustDomains, ...others });
  return Object(filters[0]?.typedConfig.rules).policies?.["ns[foo]-policy[p]-rule[0]"];
}

const any = { any: true };
const all = (...rules: readonly unknown[]): object => ({ andRules: { rules } });
const one = (...rules: readonly unknown[]): object => ({ orRules: { rules } });
const allIds = (...ids: readonly unknown[]): object => ({ andIds: { ids } });
const oneId = (...ids: readonly unknown[]): object => ({ orIds: { ids } });
const regex = (text: string): object => ({ safeRegex: { regex: text } });
const peer = (principalName: object): object => ({ authenticated: { principalName } });
const claim = (path: readonly string[], value: object): object => ({
  metadata: { filter: "envoy.filters.http.jwt_authn", path: path.map((key) => ({ key })), value },
});
const claimIs = (path: readonly string[], value: object): object =>
  claim(path, { orMatch: { valueMatchers: [{ listMatch: { oneOf: value } }, value] } });

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

describe("spec 3.3: how a rule is combined", () => {
  test("each to and each from is an alternative, and conditions are part of each", () => {
    const when = `[{key: connection.sni, values: [s]}, {key: source.namespace, values: [n]}]`;
    const to = `[{operation: {ports: ["1"]}}, {operation: {ports: ["2"]}}]`;
    const from = `[{source: {ipBlocks: [10.0.0.1]}}, {source: {ipBlocks: [10.0.0.2]}}]`;
    const sni = one({ requestedServerName: { exact: "s" } });
    const namespace = oneId(peer(regex(".*/ns/n/.*")));
    const ip = (addressPrefix: string): object => oneId({ directRemoteIp: { addressPrefix, prefixLen: 32 } });
    expect(translated(`{from: ${from}, to: ${to}, when: ${when}}`)).toEqual({
      permissions: [all(one({ destinationPort: 1 }), sni), all(one({ destinationPort: 2 }), sni)],
      principals: [allIds(ip("10.0.0.1"), namespace), allIds(ip("10.0.0.2"), namespace)],
    });
  });

  test("a field and its negation are both asked, each or-ed", () => {
    expect(translated(`{to: [{operation: {ports: ["1", "2"], notPorts: ["3", "4"]}}]}`)).toMatchObject({
      permissions: [
        all(one({ destinationPort: 1 }, { destinationPort: 2 }), {
          notRule: one({ destinationPort: 3 }, { destinationPort: 4 }),
        }),
      ],
    });
  });

  test("fields stand in istiod's order, conditions last in theirs", () => {
    const operation = `{ports: ["1"], paths: [/], methods: [GET], hosts: [h]}`;
    const source =
      "{ipBlocks: [10.0.0.1], remoteIpBlocks: [10.0.0.2], namespaces: [n], trustDomains: [t], " +
      "requestPrincipals: [i/s], principals: [p]}";
    const when = `[{key: remote.ip, values: [10.0.0.3]}, {key: destination.port, values: ["2"]}, {key: destination.ip, values: [10.0.0.4]}]`;
    const rule = translated(`{from: [{source: ${source}}], to: [{operation: ${operation}}], when: ${when}}`);
    const found = JSON.stringify(rule).match(
      /:authority|:method|urlPath|destinationPort":\d|destinationIp|spiffe:..\w|"iss"|ns.n|10\.0\.0\.\d/g,
    );
    expect(found).toEqual([
      ...[":authority", ":method", "urlPath", 'destinationPort":1', 'destinationPort":2', "destinationIp", "10.0.0.4"],
      ...["spiffe://p", '"iss"', "spiffe://t", "ns/n", "10.0.0.2", "10.0.0.1", "10.0.0.3"],
    ]);
  });
});

describe("spec 3.4 to 3.8 and 7.3: matchers of operations", () => {
  const header = (name: string, stringMatch: object): object => ({ header: { name, stringMatch } });
  const template = (pathTemplate: string): object => ({
    uriTemplate: {
      name: "uri-template",
      typedConfig: {
        "@type": "type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig",
        pathTemplate,
      },
    },
  });

  test.each([
    ["hosts: [a.example]", header(":authority", { exact: "a.example", ignoreCase: true })],
    ['hosts: ["a.example:*"]', header(":authority", { prefix: "a.example:", ignoreCase: true })],
    ['hosts: ["*.example:*"]', header(":authority", { suffix: ".example:*", ignoreCase: true })],
    ['hosts: ["*"]', { header: { name: ":authority", presentMatch: true } }],
    ["methods: [GET]", header(":method", { exact: "GET" })],
    ['methods: ["P*"]', header(":method", { prefix: "P" })],
    ['methods: ["*T"]', header(":method", { suffix: "T" })],
    ['methods: ["*"]', { header: { name: ":method", presentMatch: true } }],
    ["paths: [/a]", { urlPath: { path: { exact: "/a" } } }],
    ["paths: [/a*]", { urlPath: { path: { prefix: "/a" } } }],
    ['paths: ["*/a"]', { urlPath: { path: { suffix: "/a" } } }],
    ['paths: ["*a*"]', { urlPath: { path: { suffix: "a*" } } }],
    ['paths: ["*"]', { urlPath: { path: regex(".+") } }],
    ['paths: ["/a/{*}/b/{**}"]', template("/a/*/b/**")],
    ['ports: ["0"]', { destinationPort: 0 }],
    ['ports: ["65535"]', { destinationPort: 65535 }],
  ])("%s", (field, expected) => {
    expect(translated(`{to: [{operation: {${field}}}]}`)).toEqual({
      permissions: [all(one(expected))],
      principals: [allIds(any)],
    });
    const not = field.replace(/^\w/, (letter) => `not${letter.toUpperCase()}`);
    expect(translated(`{to: [{operation: {${not}}}]}`)).toMatchObject({
      permissions: [all({ notRule: one(expected) })],
    });
  });
});

describe("spec 3.4 and 7.3: matchers of sources", () => {
  const range = (addressPrefix: string, prefixLen: number): object => ({ addressPrefix, prefixLen });

  test.each([
    ["principals: [td/ns/a/sa/b]", peer({ exact: "spiffe://td/ns/a/sa/b" })],
    ["principals: [td/*]", peer({ prefix: "spiffe://td/" })],
    ['principals: ["*/sa/b.c"]', peer(regex("spiffe://.*/sa/b\\.c"))],
    ['principals: ["*"]', peer(regex(".+"))],
    ["namespaces: [a.b]", peer(regex(".*/ns/a\\.b/.*"))],
    ['namespaces: ["a*b*"]', peer(regex(".*/ns/a.*b.*/.*"))],
    ["serviceAccounts: [b]", peer(regex("spiffe://.+/ns/foo/(.+/|)sa/b(/.+)?"))],
    ["serviceAccounts: [a/b.c]", peer(regex("spiffe://.+/ns/a/(.+/|)sa/b\\.c(/.+)?"))],
    ["trustDomains: [td]", peer({ prefix: "spiffe://td/" })],
    ['trustDomains: ["*"]', peer({ prefix: "spiffe://" })],
    ['trustDomains: ["*.td"]', peer(regex("spiffe://[^/]*\\.td/.*"))],
    ['trustDomains: ["td.*"]', peer(regex("spiffe://td\\.[^/]*/.*"))],
    ["ipBlocks: [10.1.2.3]", { directRemoteIp: range("10.1.2.3", 32) }],
    ["ipBlocks: [10.1.2.3/8]", { directRemoteIp: range("10.1.2.3", 8) }],
    ['ipBlocks: ["2001:db8::1"]', { directRemoteIp: range("2001:db8::1", 128) }],
    ['remoteIpBlocks: ["::/0"]', { remoteIp: range("::", 0) }],
  ])("%s", (field, expected) => {
    expect(translated(`{from: [{source: {${field}}}]}`)).toEqual({
      permissions: [all(any)],
      principals: [allIds(oneId(expected))],
    });
    const not = field.replace(/^\w/, (letter) => `not${letter.toUpperCase()}`);
    expect(translated(`{from: [{source: {${not}}}]}`)).toMatchObject({
      principals: [allIds({ notId: oneId(expected) })],
    });
  });

  test("on HBONE the peer is in the filter state", () => {
    expect(translated("{from: [{source: {principals: [td/a]}}]}", { peerIdentity: "filter-state" })).toMatchObject({
      principals: [
        allIds(oneId({ filterState: { key: "io.istio.peer_principal", stringMatch: { exact: "spiffe://td/a" } } })),
      ],
    });
  });
});

describe("spec 3.11: request principals", () => {
  const some = regex(".+");

  test.each<[string, object, object]>([
    ["*", some, some],
    ["I/S", { exact: "I" }, { exact: "S" }],
    ["I/*", { exact: "I" }, some],
    ["I/S*", { exact: "I" }, { prefix: "S" }],
    ["*/S", some, { exact: "S" }],
    ["*X/S", { suffix: "X" }, { exact: "S" }],
    ["*X/S*", { suffix: "X" }, { exact: "S*" }],
    ["*X", some, { suffix: "X" }],
    ["X*", { prefix: "X" }, some],
    ["X", { exact: "X" }, { exact: "" }],
    ["https://idp.example*", { exact: "https:/" }, { prefix: "idp.example" }],
    ["https://idp.example/*", { exact: "https://idp.example" }, some],
    ["repo:a/b", { exact: "repo:a" }, { exact: "b" }],
    ["https://idp//sub", { exact: "https://idp/" }, { exact: "sub" }],
  ])("%s", (value, issuer, subject) => {
    const is = allIds(
      claim(["payload", "iss"], { stringMatch: issuer }),
      claim(["payload", "sub"], { stringMatch: subject }),
    );
    const [yes, no] = ["requestPrincipals", "notRequestPrincipals"].map((field) =>
      translated(`{from: [{source: {${field}: ["${value}"]}}]}`),
    );
    expect(yes).toMatchObject({ principals: [allIds(is)] });
    expect(no).toMatchObject({ principals: [allIds({ notId: is })] });
    expect(translated(`{when: [{key: request.auth.principal, values: ["${value}"]}]}`)).toEqual(yes);
  });

  test("several are or-ed", () => {
    const rule = Object(translated("{from: [{source: {requestPrincipals: [a/b, c/d]}}]}"));
    expect(rule.principals[0].andIds.ids[0].orIds.ids).toHaveLength(2);
  });
});

describe("spec 3.6 and 7.3: conditions", () => {
  const s = (text: string): object => ({ stringMatch: { exact: text } });

  test.each<[string, string, object]>([
    ["request.headers[X-Id]", "a", oneId({ header: { name: "X-Id", stringMatch: { exact: "a" } } })],
    ["request.headers[x]", "*", oneId({ header: { name: "x", presentMatch: true } })],
    ["request.headers[:path]", "/a*", oneId({ header: { name: ":path", stringMatch: { prefix: "/a" } } })],
    ["source.ip", "10.0.0.1", oneId({ directRemoteIp: { addressPrefix: "10.0.0.1", prefixLen: 32 } })],
    ["remote.ip", "10.0.0.0/8", oneId({ remoteIp: { addressPrefix: "10.0.0.0", prefixLen: 8 } })],
    ["source.namespace", "a*", oneId(peer(regex(".*/ns/a.*/.*")))],
    ["source.serviceAccount", "b", oneId(peer(regex("spiffe://.+/ns/foo/(.+/|)sa/b(/.+)?")))],
    ["source.trustDomain", "td", oneId(peer({ prefix: "spiffe://td/" }))],
    ["source.principal", "td/*", oneId(peer({ prefix: "spiffe://td/" }))],
    ["request.auth.audiences", "a", claimIs(["payload", "aud"], s("a"))],
    ["request.auth.presenter", "a", claimIs(["payload", "azp"], s("a"))],
    ["request.auth.claims[a]", "b*", claimIs(["payload", "a"], { stringMatch: { prefix: "b" } })],
    ["request.auth.claims[a][b.c]", "d", claimIs(["payload", "a", "b.c"], s("d"))],
    ["request.auth.claims[https://x.y/z]", "d", claimIs(["payload", "https://x.y/z"], s("d"))],
    ["request.auth.claims[[x]]", "d", claimIs(["payload", "[x]"], s("d"))],
  ])("%s of %s stands among the principals", (key, value, expected) => {
    expect(translated(`{when: [{key: "${key}", values: ["${value}"]}]}`)).toEqual({
      permissions: [all(any)],
      principals: [allIds(expected)],
    });
    expect(translated(`{when: [{key: "${key}", notValues: ["${value}"]}]}`)).toMatchObject({
      principals: [allIds({ notId: expected })],
    });
  });

  const metadata = (filter: string, value: object): object => ({ metadata: { filter, path: [{ key: "k" }], value } });

  test.each<[string, string, object]>([
    ["destination.ip", "10.0.0.1", one({ destinationIp: { addressPrefix: "10.0.0.1", prefixLen: 32 } })],
    ["destination.port", "80", one({ destinationPort: 80 })],
    ["connection.sni", "*.x", one({ requestedServerName: { suffix: ".x" } })],
    ["experimental.envoy.filters.a.b[k]", "v", metadata("envoy.filters.a.b", s("v"))],
    [
      "experimental.envoy.filters.a.b[k]",
      "[v*]",
      metadata("envoy.filters.a.b", { listMatch: { oneOf: { stringMatch: { prefix: "v" } } } }),
    ],
  ])("%s of %s stands among the permissions", (key, value, expected) => {
    expect(translated(`{when: [{key: "${key}", values: ["${value}"]}]}`)).toEqual({
      permissions: [all(expected)],
      principals: [allIds(any)],
    });
    expect(translated(`{when: [{key: "${key}", notValues: ["${value}"]}]}`)).toMatchObject({
      permissions: [all({ notRule: expected })],
    });
  });

  test("several values of a claim are or-ed within the list", () => {
    const value = { orMatch: { valueMatchers: [s("a"), s("b")] } };
    expect(translated(`{when: [{key: "request.auth.claims[c]", values: [a, b]}]}`)).toMatchObject({
      principals: [allIds(claimIs(["payload", "c"], value))],
    });
  });

  test("two conditions with one key are both asked", () => {
    const condition = (value: string): string => `{key: "request.auth.claims[c]", values: [${value}]}`;
    expect(translated(`{when: [${condition("a")}, ${condition("b")}]}`)).toMatchObject({
      principals: [allIds(claimIs(["payload", "c"], s("a")), claimIs(["payload", "c"], s("b")))],
    });
  });
});

describe("spec 3.13: trust domain aliases", () => {
  const principals = (value: string, domains: readonly string[]): unknown => {
    const rule = Object(translated(`{from: [{source: {principals: ["${value}"]}}]}`, { trustDomains: domains }));
    return rule.principals[0].andIds.ids[0].orIds.ids.map((id: object) => Object(id).authenticated.principalName);
  };
  const exact = (...names: readonly string[]): object[] => names.map((name) => ({ exact: `spiffe://${name}` }));

  test.each<[string, readonly string[], readonly object[]]>([
    ["td1/ns/a/sa/b", ["td1", "td2"], exact("td1/ns/a/sa/b", "td2/ns/a/sa/b")],
    ["td2/ns/a/sa/b", ["td1", "td2"], exact("td1/ns/a/sa/b", "td2/ns/a/sa/b")],
    ["cluster.local/ns/a/sa/b", ["td1", "td2"], exact("td1/ns/a/sa/b", "td2/ns/a/sa/b")],
    ["td3/ns/a/sa/b", ["td1", "td2"], exact("td3/ns/a/sa/b")],
    ["td1/ns/a/*", ["td1", "td2"], [{ prefix: "spiffe://td1/ns/a/" }]],
    ["td1/ns/a/sa/*", ["td1", "td2"], [{ prefix: "spiffe://td1/ns/a/sa/" }, { prefix: "spiffe://td2/ns/a/sa/" }]],
    ["*/ns/a/sa/b", ["td1", "td2"], [regex("spiffe://.*/ns/a/sa/b")]],
    ["*-td/ns/a/sa/b", ["old-td", "new-td", "x"], [regex("spiffe://.*-td/ns/a/sa/b"), ...exact("x/ns/a/sa/b")]],
    ["old*/ns/a/sa/b", ["old-td", "x"], exact("old-td/ns/a/sa/b", "x/ns/a/sa/b")],
    ["td1/a/ns/a/sa/b", ["td1", "td2"], exact("td1/a/ns/a/sa/b")],
  ])("%s in a mesh of %j", (value, domains, expected) => {
    expect(principals(value, domains)).toEqual(expected);
  });

  test.each([
    ["td1", ["td1", "td2"]],
    ["cluster.local", ["cluster.local"]],
    ["td3", ["td3"]],
  ])("trust domain %s is %j", (value, expected) => {
    const prefixes = oneId(...expected.map((name) => peer({ prefix: `spiffe://${name}/` })));
    const options = { trustDomains: ["td1", "td2"] };
    const inSource = translated(`{from: [{source: {trustDomains: [${value}]}}]}`, options);
    expect(inSource).toMatchObject({ principals: [allIds(prefixes)] });
    expect(translated(`{when: [{key: source.trustDomain, values: [${value}]}]}`, options)).toEqual(inSource);
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

import { describe, expect, test } from "vitest";
import { all, allIds, any, one, oneId, peer, regex, translated } from "./test-shapes.ts";

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

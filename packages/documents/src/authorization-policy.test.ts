import { describe, expect, it } from "vitest";
import { describeProblem } from "./document-problem.ts";
import { type ParsedDocuments, parseDocuments } from "./parse-documents.ts";

const head = "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: a, namespace: foo}\n";

/** A policy whose spec, beginning on line 5, is `spec`. */
function parse(spec: string, annotation?: string): ParsedDocuments {
  const annotated = annotation === undefined ? head : head.replace("foo}", `foo, annotations: {${annotation}}}`);
  return parseDocuments(`${annotated}spec:\n  ${spec.replaceAll("\n", "\n  ")}\n`, { file: "f" });
}

function problemsOf(parsed: ParsedDocuments): readonly string[] {
  expect(parsed.documents.length + parsed.refused.length).toBe(1);
  return parsed.refused.flatMap(({ problems }) => problems.map(describeProblem));
}

const rule = (from: string): string => `rules:\n- from: [{source: {${from}}}]`;
const operation = (to: string): string => `rules:\n- to: [{operation: {${to}}}]`;
const when = (condition: string): string => `rules:\n- when: [{${condition}}]`;
const many = (count: number, item: string): string => `[${Array.from({ length: count }, () => item).join(", ")}]`;

describe("an AuthorizationPolicy", () => {
  it("is read with every field, in the order of the text and with the places of its parts", () => {
    const sources = ["principals", "requestPrincipals", "namespaces", "trustDomains"];
    const blocks = ["ipBlocks", "remoteIpBlocks"];
    const not = (name: string): string => `not${name[0]?.toUpperCase()}${name.slice(1)}`;
    const source = [
      ...sources.flatMap((name) => [`${name}: ["${name}-*"]`, `${not(name)}: ["*-${name}"]`]),
      ...blocks.flatMap((name) => [`${name}: [1.2.3.4, "::1/128"]`, `${not(name)}: [10.0.0.0/8]`]),
    ];
    const to = [
      ...['hosts: ["*.a.com", a.*]', 'notHosts: ["*"]', 'ports: ["80", "0080", "0"]', 'notPorts: ["65535"]'],
      ...["methods: [GET, PO*]", 'notMethods: ["*"]', 'paths: [/a, /a*, "*/a", "*", "/{*}/b/{**}/c.d"]'],
      ...['notPaths: ["/{**}", "/{*}/"]'],
    ];
    const text = `selector: {matchLabels: {app: b}}
action: ALLOW
rules:
- from:
  - source: {${source.join(", ")}}
  - source: {serviceAccounts: [b/c], notServiceAccounts: [d]}
  to:
  - operation: {${to.join(", ")}}
  when:
  - key: request.headers[X-Header]
    values: [a]
    notValues: [b]
- {}`;
    const { documents, refused, warnings } = parse(text, 'istio.io/dry-run: "T"');
    expect([refused, warnings]).toEqual([[], []]);
    const noSource = {
      ...{ principals: [], notPrincipals: [], requestPrincipals: [], notRequestPrincipals: [], namespaces: [] },
      ...{ notNamespaces: [], trustDomains: [], notTrustDomains: [], ipBlocks: [], notIpBlocks: [] },
      ...{ remoteIpBlocks: [], notRemoteIpBlocks: [] },
    };
    expect(documents).toEqual([
      {
        kind: "AuthorizationPolicy",
        namespace: "foo",
        name: "a",
        selector: { matchLabels: new Map([["app", "b"]]) },
        targetRefs: [],
        action: "ALLOW",
        dryRun: true,
        position: { file: "f", line: 1, column: 1 },
        rules: [
          {
            from: [
              {
                principals: ["principals-*"],
                notPrincipals: ["*-principals"],
                requestPrincipals: ["requestPrincipals-*"],
                notRequestPrincipals: ["*-requestPrincipals"],
                namespaces: ["namespaces-*"],
                notNamespaces: ["*-namespaces"],
                serviceAccounts: [],
                notServiceAccounts: [],
                trustDomains: ["trustDomains-*"],
                notTrustDomains: ["*-trustDomains"],
                ipBlocks: ["1.2.3.4", "::1/128"],
                notIpBlocks: ["10.0.0.0/8"],
                remoteIpBlocks: ["1.2.3.4", "::1/128"],
                notRemoteIpBlocks: ["10.0.0.0/8"],
                position: { file: "f", line: 9, column: 15 },
              },
              {
                ...noSource,
                serviceAccounts: ["b/c"],
                notServiceAccounts: ["d"],
                position: { file: "f", line: 10, column: 15 },
              },
            ],
            to: [
              {
                hosts: ["*.a.com", "a.*"],
                notHosts: ["*"],
                ports: ["80", "0080", "0"],
                notPorts: ["65535"],
                methods: ["GET", "PO*"],
                notMethods: ["*"],
                paths: ["/a", "/a*", "*/a", "*", "/{*}/b/{**}/c.d"],
                notPaths: ["/{**}", "/{*}/"],
                position: { file: "f", line: 12, column: 18 },
              },
            ],
            when: [
              {
                key: "request.headers[X-Header]",
                values: ["a"],
                notValues: ["b"],
                position: { file: "f", line: 14, column: 7 },
              },
            ],
            position: { file: "f", line: 8, column: 5 },
          },
          { from: [], to: [], when: [], position: { file: "f", line: 17, column: 5 } },
        ],
      },
    ]);
  });

  it("of action CUSTOM has a provider", () => {
    const { documents } = parse("action: CUSTOM\nprovider: {name: ext}\nrules: [{}]");
    expect(documents).toMatchObject([{ action: "CUSTOM", provider: "ext", dryRun: false, rules: [{}] }]);
  });
});

describe("section 3.2 of the rules:", () => {
  const nothing = "rules: []\naction: ";
  it.each([
    ["without a spec, allows nothing", "", { action: "ALLOW", rules: [] }],
    ["an empty spec allows nothing", "spec: {}", { action: "ALLOW", rules: [] }],
    ["no rules of ALLOW match nothing", "spec: {rules: null}", { rules: [] }],
    ["an empty list of rules is none", "spec: {rules: []}", { rules: [] }],
    ["no rules of AUDIT match nothing", "spec: {action: AUDIT}", { action: "AUDIT", rules: [] }],
    ["an empty rule matches everything", "spec: {rules: [{}]}", { rules: [{ from: [], to: [], when: [] }] }],
  ])("%s", (_, spec, policy) => {
    expect(parseDocuments(`${head}${spec}\n`, { file: "f" }).documents).toMatchObject([policy]);
  });

  it.each(["from", "to"])("an empty %s is as if it were absent, and said to be", (name) => {
    const { documents, warnings } = parse(`rules: [{${name}: []}]`);
    expect(documents).toMatchObject([{ rules: [{ [name]: [] }] }]);
    expect(warnings.map(describeProblem)).toEqual([
      expect.stringContaining(`spec.rules[0].${name} is empty, which is as if it were absent: the rule is about any`),
    ]);
  });

  it.each(["DENY", "CUSTOM"])("an empty list of rules of %s is refused as none are", (action) => {
    const problems = problemsOf(parse(`${nothing}${action}`));
    expect(problems).toEqual([
      `f:5:10: spec.rules is not valid: ${action} action without \`rules\` is meaningless as it will never be triggered, add an empty rule \`{}\` if you want it be triggered for every request`,
    ]);
    expect(problemsOf(parse(`action: ${action}`))).toHaveLength(1);
  });
});

describe("section 6.1 of the rules of validation:", () => {
  it.each(["AUDIT", "CUSTOM"])("dry-run with %s", (action) => {
    const provider = action === "CUSTOM" ? "provider: {name: a}\n" : "";
    const problems = problemsOf(parse(`${provider}action: ${action}\nrules: [{}]`, 'istio.io/dry-run: "true"'));
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(`currently only supports action ALLOW/DENY, found action ${action}`);
  });

  it.each(["yes", "", "tRUE", "on"])("dry-run value %j, which is not boolean", (value) => {
    const problems = problemsOf(parse("rules: [{}]", `istio.io/dry-run: "${value}"`));
    expect(problems).toEqual([
      `f:3:69: metadata.annotations["istio.io/dry-run"] is not valid: has annotation istio.io/dry-run with invalid value (${value}): parse error`,
    ]);
  });

  it.each(["false", "F", "0"])("dry-run value %j, which is off", (value) => {
    expect(parse("rules: [{}]", `istio.io/dry-run: "${value}"`).documents).toMatchObject([{ dryRun: false }]);
  });

  it("selector together with targetRefs", () => {
    expect(problemsOf(parse("selector: {}\ntargetRefs: [{kind: Service, name: a}]"))).toEqual([
      "f:5:3: spec is not valid: only one of targetRefs or workloadSelector can be set",
    ]);
  });
});

describe("section 6.2 of the rules of validation:", () => {
  const custom = "action: CUSTOM\nprovider: {name: a}\n";
  const account = "'serviceAccount' or 'namespace/serviceAccount'";
  it.each<[string, string, string]>([
    ["CUSTOM without rules", custom, "CUSTOM action without `rules` is meaningless"],
    ["CUSTOM with rules, no provider", "action: CUSTOM\nrules: [{}]", "spec is not valid: `provider.name` must not be"],
    ["CUSTOM with rules, no provider name", "action: CUSTOM\nrules: [{}]\nprovider: {}", "`provider.name` must not be"],
    ["provider with ALLOW", "provider: {name: a}", "`provider` must not be with non CUSTOM action, found ALLOW"],
    ["an empty provider with AUDIT", "action: AUDIT\nprovider: {}", "`provider` must not be with non CUSTOM action"],
    ["unknown action", "action: allow", 'f:5:11: spec.action is not valid: Unsupported value: "allow"'],
    ["empty action", 'action: ""', 'Unsupported value: ""'],
    ["DENY without rules", "action: DENY", "spec is not valid: DENY action without `rules` is meaningless"],
    ["null rule", "rules: [null]", "f:5:11: spec.rules[0] is not valid: `rule` must not be nil"],
    ["null from", "rules: [{from: [null]}]", "`from` must not be nil, found at rule 0"],
    ["null to", "rules: [{to: [null]}]", "`to` must not be nil, found at rule 0"],
    ["null source", "rules: [{from: [{source: null}]}]", "`from.source` must not be nil, found at rule 0"],
    ["absent source", "rules: [{}, {from: [{}]}]", "`from.source` must not be nil, found at rule 1"],
    ["null operation", "rules: [{to: [{operation: }]}]", "`to.operation` must not be nil, found at rule 0"],
    ["null when", "rules: [{when: [null]}]", "when field cannot be nil"],
    ["empty source", rule(""), `f:6:21: spec.rules[0].from[0].source is not valid: \`from.source\` must not be empty`],
    ["source of empty lists", rule("principals: []"), "`from.source` must not be empty, found at rule 0"],
    ["empty operation", operation("paths: []"), "`to.operation` must not be empty, found at rule 0"],
    ["serviceAccounts > 16", rule(`serviceAccounts: ${many(17, "a")}`), "may not have more than 16 values"],
    ["serviceAccounts with a star", rule('serviceAccounts: ["a*"]'), "wildcard not allowed, found in ServiceAccounts"],
    ["serviceAccounts with two slashes", rule("serviceAccounts: [a/b/c]"), `expected format ${account}, found "a/b/c"`],
    ["serviceAccounts with no namespace", rule("serviceAccounts: [/b]"), "found empty namespace"],
    ["notServiceAccounts with no account", rule("notServiceAccounts: [a/]"), "found empty serviceAccount"],
    [
      "serviceAccounts > 320 chars",
      rule(`serviceAccounts: [${"a".repeat(321)}]`),
      "value cannot exceed 320 characters",
    ],
    ["trustDomains: empty", rule('trustDomains: [""]'), "empty value not allowed, found in TrustDomains"],
    ["trustDomains: slash", rule("trustDomains: [a/b]"), "trust domain must not contain '/', found in TrustDomains"],
    ["trustDomains: > 1 star", rule('trustDomains: ["*a*"]'), "at most one wildcard is allowed, found in TrustDomains"],
    ["notTrustDomains: inner star", rule('notTrustDomains: ["a*b"]'), "wildcard is only allowed at the start or end"],
    [
      "bad IP",
      rule("ipBlocks: [1.2.3]"),
      "f:6:33: spec.rules[0].from[0].source.ipBlocks[0] is not valid: bad IP address",
    ],
    ["IP with a leading zero", rule("ipBlocks: [01.2.3.4]"), "bad IP address (01.2.3.4)"],
    ["IP with a zone", rule('ipBlocks: ["fe80::1%eth0"]'), "bad IP address (fe80::1%eth0)"],
    ["bad CIDR", rule("notIpBlocks: [1.2.3.4/33]"), "bad CIDR range (1.2.3.4/33)"],
    ["bad CIDR of IPv6", rule('remoteIpBlocks: ["::/129"]'), "bad CIDR range (::/129)"],
    ["CIDR with a leading zero", rule("notRemoteIpBlocks: [1.2.3.4/08]"), "bad CIDR range (1.2.3.4/08)"],
    ["CIDR with two slashes", rule("ipBlocks: [1.2.3.4/8/8]"), "bad CIDR range (1.2.3.4/8/8)"],
    ["bad port", operation("ports: [http]"), "bad port (http)"],
    ["port above 65535", operation('notPorts: ["65536"]'), "bad port (65536)"],
    ["negative port", operation('ports: ["-1"]'), "bad port (-1)"],
    ["port as a number", operation("ports: [80]"), "spec.rules[0].to[0].operation.ports[0] is a number, and not text"],
    ["null value", rule("principals: [null]"), "spec.rules[0].from[0].source.principals[0] is nothing, and not text"],
    [
      "unknown field of a source",
      rule("principals: [a], principal: [b]"),
      "source.principal is not valid: unknown field",
    ],
    ["unknown field of an operation", operation("paths: [/a], path: b"), "operation.path is not valid: unknown field"],
    ["unknown field of a rule", "rules: [{From: []}]", "spec.rules[0].From is not valid: unknown field"],
    [
      "unknown field of from",
      "rules: [{from: [{source: {principals: [a]}, x: 1}]}]",
      "from[0].x is not valid: unknown",
    ],
    ["unknown field of a condition", when("key: source.ip, values: [1.2.3.4], value: 1"), "when[0].value is not valid"],
    [
      "unknown field of the provider",
      `${custom.replace("a}", "a, x: b}")}rules: [{}]`,
      "provider.x is not valid: unknown",
    ],
    ["unknown field of the spec", "rule: []", "f:5:9: spec.rule is not valid: unknown field"],
    ["more than 512 rules", `rules: ${many(513, "{}")}`, "spec.rules is not valid: must have at most 512 items"],
    [
      "more than 512 sources",
      `rules: [{from: ${many(513, "{source: {principals: [a]}}")}}]`,
      "from is not valid: must have at most 512 items",
    ],
    [
      "when without key",
      when("values: [a]"),
      "f:6:12: spec.rules[0].when[0].key is not valid: `key` must not be empty",
    ],
    ["when with an empty key", when('key: "", values: [a]'), "`key` must not be empty"],
    [
      "when without values",
      when("key: source.ip"),
      "at least one of `values` or `notValues` must be set for key source.ip",
    ],
    ["when with empty lists", when("key: source.ip, values: [], notValues: []"), "at least one of `values` or"],
    ["unknown key", when("key: source.host, values: [a]"), "unknown attribute: source.host"],
    ["key in other case", when("key: Source.ip, values: [a]"), "unknown attribute: Source.ip"],
    [
      "map key without name",
      when("key: request.headers, values: [a]"),
      "bad key (request.headers): should have format a[b]",
    ],
    ["map key with an empty name", when("key: 'request.headers[]', values: [a]"), "should have format a[b]"],
    ["map key that is not closed", when("key: 'request.auth.claims[a', values: [a]"), "should have format a[b]"],
    ["map key with more in front", when("key: 'request.headersX[a]', values: [a]"), "should have format a[b]"],
    ["claims with more in front", when("key: 'request.auth.claimsX[a]', values: [a]"), "should have format a[b]"],
    [
      "experimental key without name",
      when("key: experimental.envoy.filters.a, values: [a]"),
      "should have format a[b]",
    ],
    ["retired labels", when("key: 'destination.labels[a]', values: [a]"), "is replaced by the workload selector"],
    ["retired namespace", when("key: destination.namespace, values: [a]"), "is replaced by the metadata.namespace"],
    ["retired name", when("key: destination.name, values: [a]"), "destination.name: only supported in v1alpha1"],
    ["retired user", when("key: destination.user, notValues: [a]"), "destination.user: only supported in v1alpha1"],
    [
      "bad IP of a key",
      when("key: source.ip, values: [1.2.3.4], notValues: [a]"),
      "when[0].notValues[0] is not valid: invalid `notValue` for `key` source.ip: bad IP address (a)",
    ],
    ["bad CIDR of a key", when("key: remote.ip, values: [a/1]"), "invalid `value` for `key` remote.ip: bad CIDR range"],
    ["bad port of a key", when("key: destination.port, values: [a]"), "`key` destination.port: bad port (a)"],
    ["bad destination", when("key: destination.ip, values: [a]"), "`key` destination.ip: bad IP address (a)"],
    ["service account of a key", when('key: source.serviceAccount, values: ["*"]'), "wildcard not allowed, found in"],
    ["many accounts", when(`key: source.serviceAccount, values: ${many(17, "a")}`), "may not have more than 16"],
    [
      "trust domain of a key",
      when('key: source.trustDomain, values: ["a*b"]'),
      "wildcard is only allowed at the start",
    ],
    [
      "empty value of a key",
      when('key: connection.sni, values: [""]'),
      "empty value not allowed, found in connection.sni",
    ],
  ])("%s", (_, spec, problem) => {
    const problems = problemsOf(parse(spec));
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(problem);
  });

  it.each([
    ...["principals", "requestPrincipals", "namespaces", "trustDomains", "serviceAccounts"],
    ...["notPrincipals", "notRequestPrincipals", "notNamespaces", "notTrustDomains", "notServiceAccounts"],
  ])("CUSTOM with %s", (name) => {
    const capital = `${name[0]?.toUpperCase()}${name.slice(1)}`;
    expect(problemsOf(parse(`${custom}${rule(`${name}: [a]`)}`))).toEqual([
      expect.stringContaining(`From.${capital} is currently not supported with CUSTOM action`),
    ]);
  });

  it.each([
    ...["source.namespace", "source.serviceAccount", "source.trustDomain", "source.principal"],
    ...["request.auth.principal", "request.auth.claims[a]", "request.auth.audiences", "request.auth.presenter"],
  ])("CUSTOM with %s", (key) => {
    expect(problemsOf(parse(`${custom}${when(`key: "${key}", values: [a]`)}`))).toEqual([
      expect.stringContaining(`${key} is currently not supported with CUSTOM action`),
    ]);
  });

  it.each([
    ["principals", "notServiceAccounts"],
    ["notPrincipals", "serviceAccounts"],
    ["namespaces", "serviceAccounts"],
    ["notNamespaces", "notServiceAccounts"],
  ])("%s with %s, even if one is an empty list", (one, other) => {
    const message = "cannot set serviceAccounts with namespaces or principals, found at rule 0";
    for (const values of ["[a]", "[]"]) {
      const problems = problemsOf(parse(rule(`${one}: [a], ${other}: ${values}`)));
      expect(problems).toEqual([expect.stringContaining(message)]);
    }
  });

  it.each([
    ...["principals", "notPrincipals", "requestPrincipals", "notRequestPrincipals", "namespaces", "notNamespaces"],
    ...["ipBlocks", "notIpBlocks", "remoteIpBlocks", "notRemoteIpBlocks"],
  ])("empty string in %s", (name) => {
    const capital = `${name[0]?.toUpperCase()}${name.slice(1)}`;
    const [problem, ...more] = problemsOf(parse(rule(`${name}: ["", ""]`)));
    expect(problem).toContain(`${name}[0] is not valid: empty value not allowed, found in ${capital}`);
    expect(more).toHaveLength(1);
  });

  it.each(["hosts", "notHosts", "ports", "notPorts", "methods", "notMethods", "paths", "notPaths"])(
    "empty string in %s",
    (name) => {
      const capital = `${name[0]?.toUpperCase()}${name.slice(1)}`;
      expect(problemsOf(parse(operation(`${name}: [""]`)))).toEqual([
        expect.stringContaining(`empty value not allowed, found in ${capital}`),
      ]);
    },
  );

  it.each([
    ["/a/{**}/{*}", "{**} is not the last operator"],
    ["/{**}/{**}", "{**} is not the last operator"],
    ["/a{*}", "Contains '{' or '}' beyond a supported path template"],
    ["/{a}", "Contains '{' or '}' beyond a supported path template"],
    ["/a}", "Contains '{' or '}' beyond a supported path template"],
    ["/{*}/{***}", "Contains '{' or '}' beyond a supported path template"],
    ["/{*}//a", "Contains segment  with invalid string literal"],
    ["/{*}/a*", "Contains segment a* with invalid string literal"],
    ["/{*}/a b", "Contains segment a b with invalid string literal"],
    ["/{*}/ä", "Contains segment ä with invalid string literal"],
    ["/{*}/a|b", "Contains segment a|b with invalid string literal"],
    ["{*}", "A path template begins with one slash"],
    ["foo/{*}", "A path template begins with one slash"],
    ["//{*}", "A path template begins with one slash"],
    ["/{*}//", "Contains segment  with invalid string literal"],
  ])("path template %s", (path, problem) => {
    for (const name of ["paths", "notPaths"]) {
      const capital = name === "paths" ? "Paths" : "NotPaths";
      const [found, ...more] = problemsOf(parse(operation(`${name}: [${JSON.stringify(path)}]`)));
      expect(more).toEqual([]);
      expect(found).toContain(`invalid or unsupported path ${path}, found in ${capital}. ${problem}`);
    }
  });

  it.each(["/{*}", "/{**}", "/a/{*}/", "/a-._~%!$&'()+,;:@=z/{**}/b", "//a", "a", "/a//b", "/a*b", "/ä", "*a*"])(
    "path %s is valid",
    (path) => expect(problemsOf(parse(operation(`paths: [${JSON.stringify(path)}]`)))).toEqual([]),
  );

  it.each([
    ...[
      "request.headers[:path]",
      "request.headers[a][b]",
      "request.auth.claims[a][b.c/d e]",
      "request.auth.claims[[a]]",
    ],
    ...["experimental.envoy.filters.a.b[c]", "source.principal", "source.namespace", "connection.sni"],
    ...["request.auth.principal", "request.auth.audiences", "request.auth.presenter", "source.trustDomain"],
  ])("key %s is valid", (key) => {
    expect(problemsOf(parse(when(`key: "${key}", values: [a]`)))).toEqual([]);
  });

  it("each problem at its own place", () => {
    const problems = problemsOf(parse(rule('principals: ["", a], ipBlocks: [b]')));
    expect(problems.map((problem) => problem.split(" ")[0])).toEqual(["f:6:35:", "f:6:54:"]);
  });
});

describe("section 6.2: a DENY rule that would deny all traffic of TCP is warned of", () => {
  const warned = (rules: string, action = "DENY"): boolean => {
    const { documents, warnings } = parse(`action: ${action}\n${rules}`);
    expect(documents).toHaveLength(1);
    expect(warnings.every(({ message }) => message.includes("will deny all traffic to TCP ports"))).toBe(true);
    expect(warnings.every(({ path, line }) => path === "spec.rules[0]" && line === 7)).toBe(true);
    return warnings.length > 0;
  };
  const headers = "when: [{key: 'request.headers[a]', values: [b]}]";
  it.each([
    ["methods alone", operation("methods: [GET]"), true],
    ["methods with a port", operation('methods: [GET], ports: ["80"]'), false],
    [
      "methods and a port as a condition",
      `${operation("methods: [GET]")}\n  when: [{key: destination.port, values: ["80"]}]`,
      false,
    ],
    ["a namespace and methods", `${rule("namespaces: [a]")}\n  to: [{operation: {methods: [GET]}}]`, true],
    ["request principals", rule("requestPrincipals: [a]"), true],
    ["request principals of a namespace", rule("requestPrincipals: [a], namespaces: [b]"), false],
    ["a trust domain, which Istio does not count", rule("trustDomains: [a]"), false],
    ["conditions alone, which Istio does not see", `rules:\n- ${headers}`, true],
    ["conditions of TCP", "rules:\n- when: [{key: source.ip, values: [1.2.3.4]}]", false],
    [
      "a header and an address",
      `rules:\n- when: [{key: 'request.headers[a]', values: [b]}, {key: source.ip, values: [1.2.3.4]}]`,
      false,
    ],
    ["everything, as is said", "rules:\n- {}", false],
  ])("%s", (_, rules, expected) => {
    expect(warned(rules)).toBe(expected);
    expect(warned(rules, "ALLOW")).toBe(false);
  });
});

describe("a refused policy still says", () => {
  it.each<[string, string, object]>([
    ["its action", "action: DENY\nrule: 1\nselector: {matchLabels: {a: b}}", { action: "DENY", dryRun: false }],
    ["that it has none, which is ALLOW", "rule: 1", { action: "ALLOW" }],
    ["whom it is for", "rule: 1\ntargetRefs: [{kind: Service, name: a}]", { targetRefs: [{ name: "a" }] }],
  ])("%s", (_, spec, refused) => {
    expect(parse(spec).refused).toMatchObject([
      { kind: "AuthorizationPolicy", namespace: "foo", name: "a", ...refused },
    ]);
  });

  it("no action where it is none that there is, and whether it would have been enforced", () => {
    const [refused] = parse("action: LOG", 'istio.io/dry-run: "true"').refused;
    expect(refused).not.toHaveProperty("action");
    expect(refused?.dryRun).toBe(true);
    expect(parse("rules: [{}]", "istio.io/dry-run: maybe").refused[0]).not.toHaveProperty("dryRun");
  });

  it("its kind in a list of its kind", () => {
    const list =
      "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicyList\nitems: [{metadata: {name: a}, spec: {x: 1}}]";
    expect(parseDocuments(list, { file: "f" }).refused).toMatchObject([
      { kind: "AuthorizationPolicy", action: "ALLOW" },
    ]);
  });
});

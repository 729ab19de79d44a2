import { parseDocuments, parseWorkload, type RefusedDocument } from "@signet/documents";
import { describe, expect, test } from "vitest";
import { compilePolicies } from "./compile-policies.ts";
import { customProviders, decide } from "./decide.ts";
import { policiesFor } from "./policies-for.ts";
import { compileParts, decideWith, makeRequest, type RequestParts } from "./testing/decide-with.ts";
import { makePolicy, type PolicyParts, type RuleParts } from "./testing/generate-policies.ts";

const anything: RuleParts = {};
const never: RuleParts = { to: [{ methods: ["NEVER"] }] };
const get: RuleParts = { to: [{ methods: ["GET"] }] };

describe("1.3 the order of actions", () => {
  test.each<[string, readonly PolicyParts[], string, string]>([
    ["no policy", [], "allow", "no-policy"],
    ["ALLOW that matches", [{ rules: [get] }], "allow", "allow-matched"],
    ["ALLOW that does not match", [{ rules: [never] }], "deny", "no-allow-matched"],
    ["one of two ALLOW that matches", [{ rules: [never] }, { name: "q", rules: [get] }], "allow", "allow-matched"],
    ["DENY that matches", [{ action: "DENY", rules: [get] }], "deny", "deny-matched"],
    ["DENY that does not match", [{ action: "DENY", rules: [never] }], "allow", "no-policy"],
    ["DENY before ALLOW", [{ rules: [get] }, { name: "q", action: "DENY", rules: [get] }], "deny", "deny-matched"],
    ["AUDIT alone", [{ action: "AUDIT", rules: [get] }], "allow", "no-policy"],
    ["CUSTOM alone", [{ action: "CUSTOM", provider: "a", rules: [get] }], "allow", "no-policy"],
  ])("%s", (_, policies, effect, because) => {
    expect(decideWith(policies, {})).toMatchObject({ effect, because });
  });

  test("AUDIT marks what is denied later too, with every rule that matches", () => {
    const policies: readonly PolicyParts[] = [
      { name: "a", action: "AUDIT", rules: [never, get, anything] },
      { name: "d", action: "DENY", rules: [anything] },
    ];
    const { effect, audit } = decideWith(policies, {});
    expect(effect).toBe("deny");
    expect(audit.map(({ id }) => id)).toEqual(["ns[foo]-policy[a]-rule[1]", "ns[foo]-policy[a]-rule[2]"]);
  });
});

describe("3.2 empty, absent, nothing", () => {
  test.each<[string, PolicyParts, string]>([
    ["ALLOW without rules", { rules: [] }, "deny"],
    ["DENY without rules", { action: "DENY", rules: [] }, "allow"],
    ["AUDIT without rules", { action: "AUDIT", rules: [] }, "allow"],
    ["ALLOW with an empty rule", { rules: [anything] }, "allow"],
    ["DENY with an empty rule", { action: "DENY", rules: [anything] }, "deny"],
    ["a rule without from is from anybody", { rules: [get] }, "allow"],
    ["a rule without to is to anything", { rules: [{ from: [{ namespaces: ["foo"] }] }] }, "allow"],
    ["an empty source is any source", { rules: [{ from: [{}] }] }, "allow"],
    ["an empty operation is any operation", { action: "DENY", rules: [{ to: [{}] }] }, "deny"],
    ["empty from and to", { rules: [{ from: [], to: [] }] }, "allow"],
  ])("%s: %o", (_, policy, effect) => {
    expect(decideWith([policy], { peerPrincipal: "spiffe://td/ns/foo/sa/a" }).effect).toBe(effect);
  });

  test("an ALLOW policy without rules beside one that allows denies nothing", () => {
    expect(decideWith([{ rules: [] }, { name: "q", rules: [get] }], {}).effect).toBe("allow");
  });

  test("an empty document denies everything, read as YAML", () => {
    const text =
      "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: none, namespace: foo}\nspec: {}\n";
    const { compiled } = compilePolicies(parseDocuments(text, { file: "none.yaml" }));
    const policies = policiesFor(compiled, parseWorkload("foo/app=httpbin"));
    expect(decide(policies, makeRequest({})).because).toBe("no-allow-matched");
    expect(decide(policies, makeRequest({ kind: "tcp" })).because).toBe("no-allow-matched");
  });
});

describe("3.3 how a rule is combined", () => {
  const rule: RuleParts = {
    from: [{ namespaces: ["a"] }, { namespaces: ["b"], notPrincipals: ["td/ns/b/sa/x"] }],
    to: [{ methods: ["GET"], paths: ["/p"] }, { methods: ["POST"] }],
    when: [
      { key: "request.headers[h]", values: ["1", "2"], notValues: ["2"] },
      { key: "destination.port", values: ["80"] },
    ],
  };
  const base: RequestParts = {
    peerPrincipal: "spiffe://td/ns/a/sa/x",
    method: "GET",
    path: "/p",
    pairs: [["h", "1"]],
    destinationPort: 80,
  };
  test.each<[string, RequestParts, boolean]>([
    ["first source, first operation", {}, true],
    ["second source", { peerPrincipal: "spiffe://td/ns/b/sa/y" }, true],
    ["second source but its notPrincipals", { peerPrincipal: "spiffe://td/ns/b/sa/x" }, false],
    ["second operation", { method: "POST", path: "/q" }, true],
    ["an operation made of two", { method: "GET", path: "/q" }, false],
    ["no source", { peerPrincipal: "spiffe://td/ns/c/sa/x" }, false],
    ["values and notValues", { pairs: [["h", "2"]] }, false],
    ["one condition of two", { destinationPort: 81 }, false],
  ])("%s", (_, changes, matches) => {
    expect(decideWith([{ rules: [rule] }], { ...base, ...changes }).effect).toBe(matches ? "allow" : "deny");
  });
});

describe("3.10 TCP", () => {
  const tcp: RequestParts = { kind: "tcp", destinationPort: 80 };
  test.each<[string, PolicyParts, string]>([
    ["ALLOW with a method is lost", { rules: [get] }, "deny"],
    ["ALLOW with a port beside it is lost", { rules: [{ to: [{ methods: ["GET"], ports: ["80"] }] }] }, "deny"],
    [
      "ALLOW is lost even if another operation is fine",
      { rules: [{ to: [{ methods: ["GET"] }, { ports: ["80"] }] }] },
      "deny",
    ],
    ["another rule of ALLOW stays", { rules: [get, { to: [{ ports: ["80"] }] }] }, "allow"],
    ["DENY with a method denies all", { action: "DENY", rules: [get] }, "deny"],
    [
      "DENY with a method keeps its port",
      { action: "DENY", rules: [{ to: [{ methods: ["GET"], ports: ["81"] }] }] },
      "allow",
    ],
    ["DENY with notPaths denies all", { action: "DENY", rules: [{ to: [{ notPaths: ["/"] }] }] }, "deny"],
    ...(
      ["request.headers[x]", "request.auth.claims[x]", "request.auth.principal", "request.auth.audiences"] as const
    ).flatMap((key): [string, PolicyParts, string][] => [
      [`ALLOW with ${key} is lost`, { rules: [{ when: [{ key, values: ["v"] }] }] }, "deny"],
      [`DENY with ${key} denies all`, { action: "DENY", rules: [{ when: [{ key, values: ["v"] }] }] }, "deny"],
    ]),
    ["requestPrincipals are for HTTP", { action: "DENY", rules: [{ from: [{ requestPrincipals: ["*"] }] }] }, "deny"],
    ["hosts are for HTTP", { action: "DENY", rules: [{ to: [{ hosts: ["x"] }] }] }, "deny"],
    ["trustDomains are for TCP too", { rules: [{ from: [{ trustDomains: ["td"] }] }] }, "allow"],
    ["SNI is for TCP too", { rules: [{ when: [{ key: "connection.sni", values: ["s"] }] }] }, "allow"],
  ])("%s", (_, policy, effect) => {
    expect(decideWith([policy], { ...tcp, sni: "s", peerPrincipal: "spiffe://td/ns/a/sa/x" }).effect).toBe(effect);
  });
});

describe("3.10 and 15, what cannot be compiled falls towards deny", () => {
  const faults: readonly (readonly [string, RuleParts])[] = [
    ["a bad CIDR", { from: [{ ipBlocks: ["10.0.0.0/33"] }] }],
    ["a bad address", { from: [{ notRemoteIpBlocks: ["10.0.0"] }] }],
    ["a leading zero", { from: [{ ipBlocks: ["010.0.0.1"] }] }],
    ["a bad port", { to: [{ ports: ["65536"] }] }],
    ["a port in words", { to: [{ notPorts: ["http"] }] }],
    ["a template without a slash", { to: [{ paths: ["foo/{*}"] }] }],
    ["a template with an empty segment", { to: [{ paths: ["//{*}"] }] }],
    ["an operator after the last", { to: [{ paths: ["/{**}/{*}"] }] }],
    ["an operator in a segment", { to: [{ paths: ["/a{*}"] }] }],
    ["an unknown attribute", { when: [{ key: "source.unknown", values: ["x"] }] }],
    ["a key without brackets", { when: [{ key: "request.headers", values: ["x"] }] }],
    ["a key with text before its brackets", { when: [{ key: "request.headersfoo[x]", values: ["x"] }] }],
    ["claims without a name", { when: [{ key: "request.auth.claims", values: ["x"] }] }],
    ["claims half in brackets", { when: [{ key: "request.auth.claims[a][b", values: ["x"] }] }],
  ];
  test.each(faults)("%s", (_, rule) => {
    expect(decideWith([{ rules: [rule] }], {}).effect).toBe("deny");
    expect(decideWith([{ action: "DENY", rules: [rule] }], {}).effect).toBe("deny");
    const { problems } = compilePolicies({ documents: [makePolicy({ rules: [rule] })], refused: [] });
    expect(problems).toMatchObject([{ policy: { name: "p" }, ruleIndex: 0, effect: "rule-never-matches" }]);
  });

  test("in DENY one value that is bad leaves the others", () => {
    const rules = [{ from: [{ ipBlocks: ["bad", "10.0.0.0/8"] }] }];
    expect(decideWith([{ action: "DENY", rules }], { directRemoteIp: "10.0.0.1" }).effect).toBe("deny");
    expect(decideWith([{ action: "DENY", rules }], { directRemoteIp: "11.0.0.1" }).effect).toBe("allow");
  });

  test("in ALLOW one that is bad takes the rule and leaves the others", () => {
    const rules = [{ from: [{ ipBlocks: ["bad", "10.0.0.0/8"] }] }, { to: [{ methods: ["POST"] }] }];
    expect(decideWith([{ rules }], { directRemoteIp: "10.0.0.1" }).effect).toBe("deny");
    expect(decideWith([{ rules }], { method: "POST" }).ruleIndex).toBe(1);
  });

  test("an address that is none makes DENY match and ALLOW not, negated or not", () => {
    const request = { directRemoteIp: "nowhere" };
    for (const field of ["ipBlocks", "notIpBlocks"]) {
      const rules = [{ from: [{ [field]: ["10.0.0.0/8"] }] }];
      expect(decideWith([{ rules }], request).effect).toBe("deny");
      expect(decideWith([{ action: "DENY", rules }], request).effect).toBe("deny");
    }
  });
});

describe("8 the effective policy", () => {
  const many = Array.from({ length: 12 }, (_, index): RuleParts => (index === 2 || index >= 10 ? get : never));
  test("is the one whose id is smallest by octets: rule[10] before rule[2]", () => {
    expect(decideWith([{ rules: many }], {})).toMatchObject({ ruleIndex: 10, id: "ns[foo]-policy[p]-rule[10]" });
    expect(decideWith([{ action: "DENY", rules: many }], {}).ruleIndex).toBe(10);
  });

  test("compares namespaces and names first, a bracket after them", () => {
    const policies = ["b", "a-x", "a"].map((name): PolicyParts => ({ name, rules: [get] }));
    expect(decideWith(policies, {}).policy).toEqual({ namespace: "foo", name: "a-x" });
    const both: readonly PolicyParts[] = [
      { name: "z", rules: [get] },
      { namespace: "istio-system", name: "a", rules: [get] },
    ];
    expect(decideWith(both, {}).policy).toEqual({ namespace: "foo", name: "z" });
  });
});

describe("3.15 dry-run", () => {
  test("an ALLOW policy on dry-run enforces nothing, and is judged alone", () => {
    const policies: readonly PolicyParts[] = [
      { name: "dry", dryRun: true, rules: [never] },
      { name: "other", rules: [get] },
    ];
    const { effect, shadow } = decideWith(policies, {});
    expect(effect).toBe("allow");
    expect(shadow).toEqual({ allow: { effect: "deny" } });
    expect(decideWith([{ dryRun: true, rules: [] }], {})).toMatchObject({
      because: "no-policy",
      shadow: { allow: { effect: "deny" } },
    });
  });

  test("a DENY policy on dry-run says what it would have denied", () => {
    const { effect, shadow } = decideWith([{ action: "DENY", dryRun: true, rules: [get] }], {});
    expect(effect).toBe("allow");
    expect(shadow.deny).toMatchObject({ effect: "deny", rule: { ruleIndex: 0, id: "ns[foo]-policy[p]-rule[0]" } });
    expect(decideWith([{ action: "DENY", dryRun: true, rules: [never] }], {}).shadow).toEqual({
      deny: { effect: "allow" },
    });
  });
});

describe("3.14 CUSTOM", () => {
  const custom = (name: string, provider: string, rules: readonly RuleParts[]): PolicyParts => {
    return { name, action: "CUSTOM", provider, rules };
  };
  test("providers whose rules match, in order of their names' octets, each with its effective rule", () => {
    const policies = compileParts([
      custom("p1", "b", [never, get]),
      custom("p0", "b", [get]),
      custom("p2", "a-n", [get]),
      custom("p3", "a", [never]),
      custom("p4", "B", [anything]),
    ]);
    const matches = customProviders(policies, makeRequest({}));
    expect(matches.map(({ provider, rule }) => [provider, rule.id])).toEqual([
      ["B", "ns[foo]-policy[p4]-rule[0]"],
      ["a-n", "ns[foo]-policy[p2]-rule[0]"],
      ["b", "ns[foo]-policy[p0]-rule[0]"],
    ]);
  });

  test("an HTTP-only condition is left out on TCP, so that the provider is asked", () => {
    const policies = compileParts([custom("p", "a", [{ to: [{ methods: ["NEVER"], ports: ["80"] }] }])]);
    expect(customProviders(policies, makeRequest({ kind: "tcp", destinationPort: 80 }))).toHaveLength(1);
    expect(customProviders(policies, makeRequest({ kind: "tcp", destinationPort: 81 }))).toHaveLength(0);
  });
});

describe("2 which policies apply", () => {
  const policies: readonly PolicyParts[] = [
    { name: "all", rules: [never] },
    { name: "root", namespace: "istio-system", action: "DENY", rules: [{ to: [{ methods: ["DELETE"] }] }] },
    { name: "some", selector: { matchLabels: new Map([["app", "web"]]) }, rules: [get] },
    { name: "elsewhere", namespace: "bar", rules: [anything] },
  ];
  test.each([
    ["foo/app=web", "GET", "allow-matched"],
    ["foo/app=api", "GET", "no-allow-matched"],
    ["foo/app=web", "DELETE", "deny-matched"],
    ["bar", "GET", "allow-matched"],
    ["baz", "GET", "no-policy"],
    ["baz", "DELETE", "deny-matched"],
  ])("%s %s: %s", (workload, method, because) => {
    const applying = compileParts(policies, {}, parseWorkload(workload));
    expect(decide(applying, makeRequest({ method })).because).toBe(because);
  });

  test("the root namespace has the name that it is given", () => {
    const applying = compileParts(policies, { rootNamespace: "bar" }, parseWorkload("baz"));
    expect(applying.documents.map(({ name }) => name)).toEqual(["elsewhere"]);
  });
});

describe("documents that were refused", () => {
  const position = { file: "a.yaml", line: 1, column: 1 };
  const problems = [{ ...position, path: "", message: "is wrong" }];
  const refused = (parts: Partial<RefusedDocument>): RefusedDocument => ({
    targetRefs: [],
    problems,
    position,
    ...parts,
  });
  const named = refused({ kind: "AuthorizationPolicy", namespace: "foo", name: "p" });
  const good = compilePolicies({ documents: [makePolicy({ rules: [get], position })], refused: [] }).compiled;
  const decided = (documents: Parameters<typeof compilePolicies>[0], lastGood?: typeof good, workload = "foo") => {
    const { compiled, problems: told } = compilePolicies(documents, {}, lastGood);
    return { ...decide(policiesFor(compiled, parseWorkload(workload)), makeRequest({})), told };
  };

  test("never good: deny, for the workloads that they select", () => {
    const set = { documents: [makePolicy({ name: "q", rules: [get] })], refused: [named] };
    expect(decided(set)).toMatchObject({
      effect: "deny",
      because: "deny-matched",
      policy: { name: "p" },
      told: problems,
    });
    expect(decided(set, undefined, "bar").effect).toBe("allow");
    const selecting = refused({ ...named, selector: { matchLabels: new Map([["app", "web"]]) } });
    expect(decided({ documents: [], refused: [selecting] }).effect).toBe("allow");
    expect(decided({ documents: [], refused: [selecting] }, undefined, "foo/app=web").effect).toBe("deny");
  });

  test("nobody knows what it is: deny for every workload", () => {
    expect(decided({ documents: [], refused: [refused({})] }, undefined, "bar").effect).toBe("deny");
  });

  test("documents of other kinds are no concern here", () => {
    expect(decided({ documents: [], refused: [refused({ kind: "RequestAuthentication" })] }).because).toBe("no-policy");
  });

  test("the last good version stays, by name or by file", () => {
    expect(decided({ documents: [], refused: [named] }, good)).toMatchObject({
      because: "allow-matched",
      told: problems,
    });
    expect(decided({ documents: [], refused: [refused({})] }, good).because).toBe("allow-matched");
    const elsewhere = refused({ position: { ...position, file: "b.yaml" } });
    expect(decided({ documents: [], refused: [elsewhere] }, good).because).toBe("deny-matched");
  });

  test("more that is unreadable than there was in the file: something new, which denies", () => {
    expect(decided({ documents: [], refused: [refused({}), refused({})] }, good).because).toBe("deny-matched");
  });

  test("it is the last good version again after it was kept once", () => {
    const kept = compilePolicies({ documents: [], refused: [named] }, {}, good).compiled;
    expect(decided({ documents: [], refused: [named] }, kept).because).toBe("allow-matched");
  });

  test("a document that is gone is gone", () => {
    expect(decided({ documents: [], refused: [] }, good).because).toBe("no-policy");
  });
});

import { describe, expect, it } from "vitest";
import { describeProblem } from "./document-problem.ts";
import { type ParsedDocuments, parseDocuments } from "./parse-documents.ts";

function parse(text: string): ParsedDocuments {
  return parseDocuments(text, { file: "f" });
}

const names = ({ documents }: ParsedDocuments): readonly string[] =>
  documents.map(({ namespace, name }) => `${namespace}/${name}`);
const problems = ({ refused }: ParsedDocuments): readonly string[] =>
  refused.flatMap((document) => document.problems.map(describeProblem));

const jwt = (name: string, rest = ""): string =>
  `apiVersion: security.istio.io/v1\nkind: RequestAuthentication\nmetadata:\n  name: ${name}\n  namespace: foo\n${rest}`;
const asJson = (name: string): object => ({
  apiVersion: "security.istio.io/v1beta1",
  kind: "RequestAuthentication",
  metadata: { name, namespace: "foo", uid: "1", managedFields: [], creationTimestamp: null, labels: { a: "b" } },
  spec: {},
  status: { conditions: [{ anything: 1 }] },
});

describe("parseDocuments reads", () => {
  it("several documents, and passes over other kinds, which it counts", () => {
    const other = "apiVersion: apps/v1\nkind: Deployment\nspec: 1\n";
    const policy = "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: c}\n";
    const parsed = parse(["# none", jwt("a"), other, "", "null", policy, other, jwt("b")].join("\n---\n"));
    expect(names(parsed)).toEqual(["foo/a", "default/c", "foo/b"]);
    expect(parsed.refused).toEqual([]);
    expect([...parsed.skipped]).toEqual([["apps/v1 Deployment", 2]]);
  });

  it.each([undefined, 2, "\t"])("JSON indented by %j", (indent) => {
    expect(names(parse(JSON.stringify(asJson("a"), undefined, indent)))).toEqual(["foo/a"]);
  });

  it("lists as kubectl prints them, each entry a document of its own", () => {
    const items = [
      asJson("a"),
      { kind: "Service", apiVersion: "v1" },
      { ...asJson("b"), spec: { jwtRule: [] } },
      asJson("c"),
    ];
    const parsed = parse(
      JSON.stringify({ apiVersion: "v1", kind: "List", items, metadata: { resourceVersion: "" } }, undefined, 1),
    );
    expect(names(parsed)).toEqual(["foo/a", "foo/c"]);
    expect(parsed.skipped).toEqual(new Map([["v1 Service", 1]]));
    expect(problems(parsed)).toEqual([expect.stringContaining("items[2].spec.jwtRule is not valid: unknown field")]);
    expect(parsed.refused).toMatchObject([{ kind: "RequestAuthentication", namespace: "foo", name: "b" }]);
  });

  it("lists of one kind, whose entries need not say it again", () => {
    const list = "apiVersion: security.istio.io/v1\nkind: RequestAuthenticationList\n";
    expect(names(parse(`${list}items:\n- metadata: {name: a}\n- metadata: {name: b, namespace: foo}\n`))).toEqual([
      "default/a",
      "foo/b",
    ]);
    expect(parse(`${list}items:\n`)).toMatchObject({ documents: [], refused: [] });
    expect(problems(parse(list))).toEqual(["f:1:1: is a list of objects without a list in items"]);
  });

  it("lists in lists", () => {
    const list = (...items: object[]): object => ({ apiVersion: "v1", kind: "List", items });
    expect(names(parse(JSON.stringify(list(asJson("a"), list(asJson("b"))))))).toEqual(["foo/a", "foo/b"]);
  });

  it("the namespace that it is told for documents that name none", () => {
    const text = jwt("a").replace("  namespace: foo\n", "");
    expect(names(parse(text))).toEqual(["default/a"]);
    expect(names(parseDocuments(text, { file: "f", namespace: "bar" }))).toEqual(["bar/a"]);
  });

  it("nothing from nothing", () => {
    for (const text of ["", "# none", "---\n---\n", "null", "\ufeff"]) {
      expect(parse(text)).toEqual({ documents: [], refused: [], warnings: [], skipped: new Map() });
    }
  });
});

describe("parseDocuments refuses", () => {
  it.each([
    ["what is no object", "- a", "f:1:1: is not a map of fields"],
    ["an object of no kind", "a: 1", "f:1:1: has no apiVersion and kind that say what it is"],
    [
      "a kind that the group has not",
      jwt("a").replace("RequestAuthentication", "RequestAuthentification"),
      'no matches for kind "RequestAuthentification" in version "security.istio.io/v1"',
    ],
    [
      "a version that the group has not",
      jwt("a").replace("/v1", "/v1alpha1"),
      'no matches for kind "RequestAuthentication" in version "security.istio.io/v1alpha1"',
    ],
    [
      "an object without metadata",
      "apiVersion: security.istio.io/v1\nkind: RequestAuthentication",
      "f:1:1: metadata is missing",
    ],
    ["an object without a name", jwt("~"), "f:4:3: metadata.name is missing"],
    ["an object with a name that is none", jwt("A_b"), "f:4:9: metadata.name is not valid"],
    ["a namespace that is none", jwt("a").replace("foo", "a.b"), "f:5:14: metadata.namespace is not valid"],
    [
      "annotations that are no text",
      jwt("a", "  annotations: {a/b: 1}\n"),
      'metadata.annotations["a/b"] is a number, and not text',
    ],
    ["unknown fields of metadata", jwt("a", "  annotation: {}\n"), "metadata.annotation is not valid: unknown field"],
    ["unknown fields beside spec", jwt("a", "specs: {}\n"), "specs is not valid: unknown field"],
    ["a spec that is no map", jwt("a", "spec: []\n"), "spec is a list, and not a map"],
    ["two documents without a marker", `{a: 1}\n{b: 2}`, "f:2:1: "],
    ["a key that is there twice", jwt("a", "spec: {}\nspec: {}\n"), 'f:7:1: has the key "spec" twice'],
  ])("%s", (_, text, problem) => {
    const parsed = parse(text);
    expect(parsed.documents).toEqual([]);
    expect(parsed.refused).toHaveLength(1);
    expect(problems(parsed)[0]).toContain(problem);
  });

  it("a document, and still says which one it is and whom it is meant for", () => {
    const spec = (text: string): object => parse(jwt("a", `spec: {jwtRule: [], ${text}}\n`)).refused[0] ?? {};
    const known = {
      kind: "RequestAuthentication",
      namespace: "foo",
      name: "a",
      position: { file: "f", line: 1, column: 1 },
    };
    const app = { matchLabels: new Map([["app", "b"]]) };
    const gateway = { group: "gateway.networking.k8s.io", kind: "Gateway", name: "gw" };
    expect(spec("selector: {matchLabels: {app: b}}")).toMatchObject({ ...known, selector: app, targetRefs: [] });
    expect(spec(`targetRefs: [${JSON.stringify(gateway)}]`)).toMatchObject({ ...known, targetRefs: [gateway] });
    // What is not valid selects more rather than less.
    expect(spec('selector: {matchLabels: {app: b, "*": c, d: 1}}')).toMatchObject({ ...known, selector: app });
    const half = spec(`targetRefs: [${JSON.stringify(gateway)}, {kind: Service}]`);
    expect(half).toMatchObject({ ...known, targetRefs: [] });
    expect(half).not.toHaveProperty("selector");
  });

  it("what is no YAML, and takes nothing as said that may have been written otherwise", () => {
    const [broken] = parse(jwt("a", "spec: {selector: {matchLabels: {app: b}}}\n]\n")).refused;
    expect(broken).toMatchObject({ kind: "RequestAuthentication", namespace: "foo", name: "a", targetRefs: [] });
    expect(broken).not.toHaveProperty("selector");
    const [twice] = parse(jwt("a", "  namespace: bar\n")).refused;
    expect(twice).toMatchObject({ name: "a" });
    expect(twice).not.toHaveProperty("namespace");
    const [none] = parse("apiVersion: v1\nkind: List\nmetadata: {}\n]").refused;
    expect(none).not.toHaveProperty("namespace");
  });

  it("the second document of two at its own place", () => {
    const parsed = parse(`${jwt("a")}---\n${jwt("b")}]\n---\n${jwt("c")}`);
    expect(names(parsed)).toEqual(["foo/a", "foo/c"]);
    expect(problems(parsed)).toEqual([expect.stringMatching(/^f:12:1: is not valid: /)]);
    expect(parsed.refused[0]?.position).toEqual({ file: "f", line: 7, column: 1 });
  });

  it("directives without the marker after them", () => {
    expect(problems(parse(`%YAML 1.2\n${jwt("a")}`))[0]).toMatch(/^f:\d+:1: is not valid: /);
  });

  it.each([
    ["text", "#".repeat(8_388_609), "f:1:1: is longer than 8388608 characters"],
    ["documents", "--- a\n".repeat(100_001), "f:1:1: has more than 100000 documents"],
    ["of one document", `${jwt("a")}---\n${"#".repeat(524_289)}\na: 1`, "f:6:1: is longer than 524288 characters"],
  ])("too much %s", (_, text, problem) => expect(problems(parse(text))).toEqual([problem]));
});

describe("parseDocuments warns", () => {
  it("of our kinds in groups that are not Istio's", () => {
    const parsed = parse(jwt("a").replace("security.istio.io", "securty.istio.io"));
    expect(parsed.skipped).toEqual(new Map([["securty.istio.io/v1 RequestAuthentication", 1]]));
    expect(parsed.warnings.map(describeProblem)).toEqual([
      'f:1:13: apiVersion is passed over: kind "RequestAuthentication" is read in security.istio.io/v1 and security.istio.io/v1beta1',
    ]);
  });

  it("of a name that is there twice, and keeps both", () => {
    const parsed = parse(`${jwt("a")}---\n${jwt("a")}`);
    expect(names(parsed)).toEqual(["foo/a", "foo/a"]);
    expect(parsed.warnings.map(describeProblem)).toEqual([
      "f:10:3: metadata is named like another one in this text, and both count",
    ]);
  });

  it("apart from problems, of documents of either fate", () => {
    const parsed = parse(jwt("a", "spec: {selector: {}, jwtRule: []}\n"));
    expect(problems(parsed)).toHaveLength(1);
    expect(parsed.warnings.map(({ path }) => path)).toEqual(["spec.selector"]);
  });
});

describe("whether the targets of a refused document are known", () => {
  const policy = (spec: string): string =>
    `apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: a}\nspec: ${spec}\n`;
  const gw = "{group: gateway.networking.k8s.io, kind: Gateway, name: gw}";
  it.each([
    [`{targetRefs: [${gw}], rule: []}`, undefined],
    ["{selector: {matchLabels: {app: a}}, rule: []}", undefined],
    ["{rule: []}", undefined],
    [`{targetRefs: [${gw}, {kind: Gatewy, name: b}]}`, true],
    ["{targetRef: {kind: Service}}", true],
    ["{targetRefs: a}", true],
    ["text", true],
    ["{targetRefs: [", true],
  ])("%s", (spec, expected) => {
    expect(parse(policy(spec)).refused.map(({ targetsUnknown }) => targetsUnknown)).toEqual([expected]);
  });

  it("is not where it is not even a map", () => {
    expect(parse("- a").refused[0]?.targetsUnknown).toBe(true);
  });
});

describe("the kind of a refused document", () => {
  const metadata = "metadata: {name: a, namespace: foo}\n";
  it.each([
    ["is not known where it has a typo", `apiVersion: security.istio.io/v1\nkind: AuthorisationPolicy\n${metadata}`],
    ["is not known where it is missing", `apiVersion: security.istio.io/v1\n${metadata}`],
    ["is not known of a list without items", "apiVersion: v1\nkind: List\nitems: {}\n"],
  ])("%s", (_, text) => {
    const [refused] = parse(text).refused;
    expect(refused).toBeDefined();
    expect(refused).not.toHaveProperty("kind");
  });

  it.each([
    [
      "is told in an old version",
      "apiVersion: security.istio.io/v1alpha1\nkind: AuthorizationPolicy\n",
      "AuthorizationPolicy",
    ],
    ["is told of other groups", "apiVersion: apps/v1\nkind: Deployment\nspec: [\n", "Deployment"],
  ])("%s", (_, text, kind) => {
    expect(parse(text).refused).toMatchObject([{ kind }]);
  });
});

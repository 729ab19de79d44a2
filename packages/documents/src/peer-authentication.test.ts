import { describe, expect, it } from "vitest";
import { describeProblem } from "./document-problem.ts";
import { type ParsedDocuments, parseDocuments } from "./parse-documents.ts";

const head = "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: a, namespace: foo}\n";

/** A document whose spec, beginning on line 5, is `spec`. */
function parse(spec: string, metadata = ""): ParsedDocuments {
  const text = head.replace("foo}", `foo${metadata}}`);
  return parseDocuments(`${text}spec:\n  ${spec.replaceAll("\n", "\n  ")}\n`, { file: "f" });
}

function problemsOf(parsed: ParsedDocuments): readonly string[] {
  expect(parsed.documents.length + parsed.refused.length).toBe(1);
  return parsed.refused.flatMap(({ problems }) => problems.map(describeProblem));
}

const labels = "selector: {matchLabels: {app: b}}\n";

describe("a PeerAuthentication", () => {
  it("is read with every field", () => {
    const spec = `${labels}mtls: {mode: STRICT}\nportLevelMtls: {80: {mode: DISABLE}, "443": {}, 1: {mode: PERMISSIVE}}`;
    const { documents, refused, warnings } = parse(spec, ", creationTimestamp: 2026-01-02T03:04:05Z");
    expect([refused, warnings]).toEqual([[], []]);
    expect(documents).toEqual([
      {
        kind: "PeerAuthentication",
        namespace: "foo",
        name: "a",
        selector: { matchLabels: new Map([["app", "b"]]) },
        targetRefs: [],
        mode: "STRICT",
        portModes: new Map([
          [80, "DISABLE"],
          [443, "UNSET"],
          [1, "PERMISSIVE"],
        ]),
        createdAt: new Date("2026-01-02T03:04:05Z"),
        position: { file: "f", line: 1, column: 1 },
      },
    ]);
  });

  it.each(["", "spec: {}\n", "spec: {mtls: null, selector: null, portLevelMtls: null}\n", "spec: {mtls: {}}\n"])(
    "leaves everything to wider documents with %j",
    (spec) => {
      const { documents, warnings } = parseDocuments(head + spec, { file: "f" });
      expect(documents).toMatchObject([{ mode: "UNSET", portModes: new Map(), targetRefs: [] }]);
      expect(documents[0]).not.toHaveProperty("selector");
      expect(documents[0]).not.toHaveProperty("createdAt");
      expect(warnings).toEqual([]);
    },
  );

  it("has a selector without labels, which is warned of", () => {
    expect(parse("selector: {}").warnings.map(describeProblem)).toEqual([
      "f:5:13: spec.selector is empty: workload selector specified without labels",
    ]);
  });
});

describe("section 6.4 of the rules of validation:", () => {
  const inRange = "is not valid: port must be in range 1..65535";
  it.each<[string, string, string]>([
    [
      "portLevelMtls without selector",
      "portLevelMtls: {80: {mode: STRICT}}",
      "f:5:18: spec.portLevelMtls is not valid: mesh/namespace peer authentication cannot have port level mTLS",
    ],
    [
      "empty map",
      `${labels}portLevelMtls: {}`,
      "f:6:18: spec.portLevelMtls is not valid: port level mTLS, if defined, must have at least one element",
    ],
    ["port 0", `${labels}portLevelMtls: {0: {}}`, `f:6:22: spec.portLevelMtls["0"] ${inRange}`],
    ["port 65536", `${labels}portLevelMtls: {65536: {}}`, inRange],
    ["port that is none", `${labels}portLevelMtls: {http: {}}`, `spec.portLevelMtls.http ${inRange}`],
    ["port with a leading zero", `${labels}portLevelMtls: {"080": {}}`, inRange],
    ["port without a map", `${labels}portLevelMtls: {80: STRICT}`, 'portLevelMtls["80"] is text, and not a map'],
    ["port with nothing", `${labels}portLevelMtls: {80: null}`, 'portLevelMtls["80"] is nothing, and not a map'],
    ["unknown mode", "mtls: {mode: strict}", 'f:5:16: spec.mtls.mode is not valid: Unsupported value: "strict"'],
    ["unknown mode of a port", `${labels}portLevelMtls: {80: {mode: ON}}`, 'Unsupported value: "ON"'],
    ["unknown field", "mtls: {modes: STRICT}", "spec.mtls.modes is not valid: unknown field"],
    ["targets", "targetRefs: [{kind: Service, name: a}]", "spec.targetRefs is not valid: unknown field"],
    ["wildcard in the selector", 'selector: {matchLabels: {a: "*"}}', "wildcard is not supported in selector"],
  ])("%s", (_, spec, problem) => {
    const problems = problemsOf(parse(spec));
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(problem);
  });

  it("portLevelMtls with a selector without labels", () => {
    expect(problemsOf(parse("selector: {matchLabels: {}}\nportLevelMtls: {80: {}}"))).toHaveLength(1);
  });

  it("section 6.1: dry-run annotation", () => {
    expect(problemsOf(parse("mtls: {mode: STRICT}", ', annotations: {istio.io/dry-run: "true"}'))).toEqual([
      expect.stringContaining("has unsupported annotation"),
    ]);
  });

  it.each(["yesterday", "2026-13-01T00:00:00Z", "2026-01-02"])("a creation timestamp that is none: %s", (time) => {
    expect(problemsOf(parse("mtls: {mode: STRICT}", `, creationTimestamp: "${time}"`))).toEqual([
      expect.stringContaining("metadata.creationTimestamp is not valid: a time such as"),
    ]);
  });
});

it("a refused one is for the workloads of its selector, whatever targets it names", () => {
  const { refused } = parse(`${labels}targetRefs: [{kind: Service, name: a}]`);
  expect(refused).toMatchObject([
    { kind: "PeerAuthentication", selector: { matchLabels: new Map([["app", "b"]]) }, targetRefs: [] },
  ]);
  expect(refused[0]).not.toHaveProperty("action");
});

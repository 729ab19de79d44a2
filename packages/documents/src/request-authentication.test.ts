import { describe, expect, it } from "vitest";
import { describeProblem } from "./document-problem.ts";
import { parseDocuments } from "./parse-documents.ts";

const head = "apiVersion: security.istio.io/v1\nkind: RequestAuthentication\nmetadata: {name: jwt, namespace: foo}\n";

/** What is said of a RequestAuthentication whose spec, beginning on line 5, is `spec`. */
function problemsOf(spec: string): readonly string[] {
  const { documents, refused } = parseDocuments(`${head}spec:\n  ${spec.replaceAll("\n", "\n  ")}\n`, { file: "f" });
  expect(documents.length + refused.length).toBe(1);
  return refused.flatMap(({ problems }) => problems.map(describeProblem));
}

function warningsOf(spec: string): readonly string[] {
  const parsed = parseDocuments(`${head}spec:\n  ${spec.replaceAll("\n", "\n  ")}\n`, { file: "f" });
  expect(parsed.refused.flatMap(({ problems }) => problems.map(describeProblem))).toEqual([]);
  return parsed.warnings.map(describeProblem);
}

const rsa = '{"kty":"RSA","n":"AQ","e":"AQAB"}';

it("reads every field", () => {
  const text = `${head}spec:
  selector: {matchLabels: {app: httpbin, version: ""}}
  jwtRules:
  - issuer: https://example.com
    audiences: [a, b]
    jwksUri: https://example.com/jwks
    fromHeaders: [{name: x-jwt, prefix: "Bearer "}, {name: y, prefix: ""}, {name: z}]
    fromParams: [token]
    fromCookies: [session]
    outputPayloadToHeader: x-payload
    forwardOriginalToken: true
    outputClaimToHeaders: [{header: x-sub, claim: sub}]
    timeout: 1.5s
    spaceDelimitedClaims: [roles]
  - jwks_uri: HTTP://[::1]:8080/jwks
    issuer: null
  - issuer: i
    jwks: '{"keys":[${rsa}]}'
    outputPayloadToHeader: ""
`;
  const nothing = { audiences: [], fromHeaders: [], fromParams: [], fromCookies: [], outputClaimToHeaders: [] };
  const defaults = { ...nothing, forwardOriginalToken: false, timeoutMs: 5_000, spaceDelimitedClaims: [] };
  const { documents, ...rest } = parseDocuments(text, { file: "f" });
  expect(rest).toEqual({ refused: [], warnings: [], skipped: new Map() });
  expect(documents).toEqual([
    {
      kind: "RequestAuthentication",
      namespace: "foo",
      name: "jwt",
      selector: {
        matchLabels: new Map([
          ["app", "httpbin"],
          ["version", ""],
        ]),
      },
      targetRefs: [],
      position: { file: "f", line: 1, column: 1 },
      jwtRules: [
        {
          issuer: "https://example.com",
          audiences: ["a", "b"],
          jwksUri: "https://example.com/jwks",
          fromHeaders: [
            { name: "x-jwt", prefix: "Bearer " },
            { name: "y", prefix: "" },
            { name: "z", prefix: "" },
          ],
          fromParams: ["token"],
          fromCookies: ["session"],
          outputPayloadToHeader: "x-payload",
          forwardOriginalToken: true,
          outputClaimToHeaders: [{ header: "x-sub", claim: "sub" }],
          timeoutMs: 1_500,
          spaceDelimitedClaims: ["roles"],
          position: { file: "f", line: 7, column: 5 },
        },
        { ...defaults, issuer: "", jwksUri: "HTTP://[::1]:8080/jwks", position: { file: "f", line: 18, column: 5 } },
        { ...defaults, issuer: "i", jwks: `{"keys":[${rsa}]}`, position: { file: "f", line: 20, column: 5 } },
      ],
    },
  ]);
});

it.each(["", "spec: {}\n", "spec: {jwtRules: []}\n", "spec: {jwtRules: null, selector: null}\n"])(
  "reads no rules from %j",
  (spec) =>
    expect(parseDocuments(head + spec, { file: "f" }).documents).toMatchObject([{ jwtRules: [], targetRefs: [] }]),
);

it.each([
  ["", "core/Service is the empty group", "Service"],
  ["core", "core/Service", "Service"],
  ["networking.istio.io", "ServiceEntry", "ServiceEntry"],
  ["gateway.networking.k8s.io", "Gateway", "Gateway"],
  ["gateway.networking.k8s.io", "GatewayClass", "GatewayClass"],
])("may target group %j: %s", (group, _, kind) => {
  const target = `{group: "${group}", kind: ${kind}, name: a, namespace: ""}`;
  for (const spec of [`targetRefs: [${target}]`, `targetRef: ${target}`]) {
    const parsed = parseDocuments(`${head}spec:\n  ${spec}\n`, { file: "f" });
    expect(parsed.documents).toMatchObject([{ targetRefs: [{ group, kind, name: "a" }] }]);
  }
});

const gateway = "{group: gateway.networking.k8s.io, kind: Gateway, name: a}";
const many = (count: number, item: string): string => `[${Array.from({ length: count }, () => item).join(", ")}]`;
const oneOf = "only one of targetRefs or workloadSelector can be set";

describe("section 6.1 of the rules of validation:", () => {
  it.each<[string, string, string]>([
    [
      "selector together with targetRefs",
      `selector: {}\ntargetRefs: [${gateway}]`,
      `f:5:3: spec is not valid: ${oneOf}`,
    ],
    ["selector together with targetRef", `selector: {}\ntargetRef: ${gateway}`, oneOf],
    ["targetRef together with targetRefs", `targetRef: ${gateway}\ntargetRefs: []`, oneOf],
    [
      "targetRef without name",
      "targetRef: {kind: Service}",
      "f:5:14: spec.targetRef.name is not valid: targetRef name must be set",
    ],
    ["targetRefs with an empty name", 'targetRefs: [{kind: Service, name: ""}]', "targetRef name must be set"],
    [
      "targetRef with namespace",
      "targetRef: {kind: Service, name: a, namespace: b}",
      "f:5:50: spec.targetRef.namespace is not valid: targetRef namespace must not be set; cross namespace referencing is not supported",
    ],
    [
      "targetRef of other kind",
      "targetRefs: [{group: apps, kind: Deployment, name: a}]",
      "spec.targetRefs[0] is not valid: targetRef must be to one of core/Service, networking.istio.io/ServiceEntry, gateway.networking.k8s.io/Gateway, gateway.networking.k8s.io/GatewayClass but was apps/Deployment",
    ],
    ["targetRef of a kind in the wrong group", "targetRef: {kind: Gateway, name: a}", "but was /Gateway"],
    [
      "targetRef of a kind with odd characters",
      'targetRef: {group: "_\\e", kind: "a\\n", name: a}',
      'but was "_\\u001b"/"a\\n"',
    ],
    [
      "selector key empty",
      'selector: {matchLabels: {"": a}}',
      'f:5:32: spec.selector.matchLabels[""] is not valid: empty key is not supported in selector: "=a"',
    ],
    ["star in a selector key", 'selector: {matchLabels: {"a*": b}}', 'wildcard is not supported in selector: "a*=b"'],
    ["star in a selector value", 'selector: {matchLabels: {a: "b*"}}', 'wildcard is not supported in selector: "a=b*"'],
    ["selector value of more than 63", `selector: {matchLabels: {a: ${"b".repeat(64)}}}`, "may not be longer than 63"],
    [
      "selector value that is no text",
      "selector: {matchLabels: {a: 1}}",
      "spec.selector.matchLabels.a is a number, and not text",
    ],
    [
      "selector value that is nothing",
      "selector: {matchLabels: {a: }}",
      "spec.selector.matchLabels.a is nothing, and not text",
    ],
    [
      "more than 4096 labels",
      `selector: {matchLabels: {${Array.from({ length: 4_097 }, (_, n) => `a${n}: b`).join(", ")}}}`,
      "must have at most 4096 items",
    ],
    [
      "more than 16 targets",
      `targetRefs: ${many(17, gateway)}`,
      "spec.targetRefs is not valid: must have at most 16 items",
    ],
    [
      "unknown fields of selectors and targets",
      "selector: {matchLabel: {}}",
      "spec.selector.matchLabel is not valid: unknown field",
    ],
    [
      "unknown fields of targets",
      "targetRef: {kind: Service, name: a, sectionName: b}",
      "spec.targetRef.sectionName is not valid: unknown field",
    ],
  ])("%s", (_, spec, problem) => {
    const problems = problemsOf(spec);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(problem);
  });

  it.each(["selector: {}", "selector: {matchLabels: {}}"])("selector without labels is a warning: %s", (spec) => {
    expect(warningsOf(spec)).toEqual(["f:5:13: spec.selector is empty: workload selector specified without labels"]);
  });

  it.each(["true", "maybe"])("dry-run annotation on another kind than AuthorizationPolicy, with value %s", (value) => {
    const annotated = head.replace("foo}", `foo, annotations: {istio.io/dry-run: "${value}"}}`);
    const [refused] = parseDocuments(annotated, { file: "f" }).refused;
    expect(refused?.problems.map(describeProblem)).toEqual([
      'f:3:71: metadata.annotations["istio.io/dry-run"] is not valid: has unsupported annotation, please remove it',
    ]);
  });
});

it("tells all problems of a document at once, in the order of the text", () => {
  const problems = problemsOf(
    `jwtRules:\n- {}\n- issuer: a\n  audiences: [""]\n  timeout: x\nselector: {matchLabels: {"*": a}}`,
  );
  expect(problems.map((problem) => problem.split(":").slice(1, 3).join(":"))).toEqual(["6:5", "8:17", "9:14", "10:33"]);
});

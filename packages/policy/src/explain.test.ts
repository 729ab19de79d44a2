import { describe, expect, test } from "vitest";
import { explain } from "./explain.ts";
import { renderExplanation, summarizeExplanation } from "./render-explanation.ts";
import { compileParts, makeRequest, type RequestParts } from "./testing/decide-with.ts";
import type { PolicyParts } from "./testing/generate-policies.ts";

const viewer: PolicyParts = {
  name: "viewer",
  rules: [
    {
      from: [{ principals: ["cluster.local/ns/foo/sa/web"] }],
      to: [
        { methods: ["GET", "HEAD"], paths: ["/info*"] },
        { methods: ["POST"], paths: ["/data"] },
      ],
      when: [{ key: "request.headers[x-team]", values: ["blue"] }],
    },
  ],
};
const noAdmin: PolicyParts = { name: "no-admin", action: "DENY", rules: [{ to: [{ paths: ["/admin*"] }] }] };
const web: RequestParts = {
  peerPrincipal: "spiffe://cluster.local/ns/foo/sa/web",
  path: "/info",
  pairs: [["x-team", "blue"]],
};
const sentence = (policies: readonly PolicyParts[], request: RequestParts): string =>
  summarizeExplanation(explain(compileParts(policies), makeRequest(request)));

describe("a decision in one sentence", () => {
  test.each<[readonly PolicyParts[], RequestParts, string]>([
    [[], web, "allowed: no ALLOW policy applies to the workload, and no DENY policy matched"],
    [
      [viewer],
      web,
      "allowed by rule 0 of foo/viewer: source principal spiffe://cluster.local/ns/foo/sa/web is cluster.local/ns/foo/sa/web, method GET is GET or HEAD, path /info is /info*",
    ],
    [
      [viewer],
      { ...web, method: "PUT" },
      "denied: no ALLOW policy matched; closest is rule 0 of foo/viewer, which wants method GET or HEAD and the request has PUT; it would be allowed with method GET",
    ],
    [
      [viewer],
      { ...web, pairs: [] },
      "denied: no ALLOW policy matched; closest is rule 0 of foo/viewer, which wants header x-team blue and the request has none; it would be allowed with header x-team blue",
    ],
    [
      [viewer, noAdmin],
      { ...web, path: "/admin/x" },
      "denied by rule 0 of foo/no-admin: path /admin/x is /admin*; it would be allowed with path /info",
    ],
    [[{ name: "none", rules: [] }], web, "denied: no ALLOW policy matched; no rule of theirs can match"],
    [
      [{ name: "q", rules: [{ from: [{ notPrincipals: ["*"] }] }] }],
      web,
      "denied: no ALLOW policy matched; closest is rule 0 of foo/q, which wants source principal to be none of * and the request has spiffe://cluster.local/ns/foo/sa/web; it would be allowed with no source principal",
    ],
  ])("%#", (policies, request, expected) => {
    expect(sentence(policies, request)).toBe(expected);
  });
});

describe("an explanation", () => {
  test("tells of every rule the first condition that fails, with what is expected and what there is", () => {
    const { rules, decision } = explain(compileParts([viewer, noAdmin]), makeRequest({ ...web, path: "/data" }));
    expect(decision.because).toBe("no-allow-matched");
    expect(rules.map(({ id, action, matched, failed }) => [id, action, matched, failed])).toEqual([
      [
        "ns[foo]-policy[no-admin]-rule[0]",
        "DENY",
        false,
        [{ place: "to[0].operation.paths", attribute: "path", negated: false, expected: ["/admin*"], actual: "/data" }],
      ],
      [
        "ns[foo]-policy[viewer]-rule[0]",
        "ALLOW",
        false,
        [{ place: "to[0].operation.paths", attribute: "path", negated: false, expected: ["/info*"], actual: "/data" }],
      ],
    ]);
  });

  test("is a value of JSON", () => {
    const explanation = explain(
      compileParts([viewer, noAdmin]),
      makeRequest({ ...web, path: "/data", jwtPayload: { a: 1 } }),
    );
    expect(JSON.parse(JSON.stringify(explanation))).toEqual(explanation);
  });

  test("shows a tree", () => {
    expect(renderExplanation(explain(compileParts([viewer, noAdmin]), makeRequest({ ...web, method: "PUT" })))).toEqual(
      [
        "denied: no ALLOW policy matched; closest is rule 0 of foo/viewer, which wants method GET or HEAD and the request has PUT; it would be allowed with method GET",
        "✗ DENY rule 0 of foo/no-admin: does not match (generated.yaml:1)",
        "    ✗ to[0].operation.paths: which wants path /admin* and the request has /info",
        "✗ ALLOW rule 0 of foo/viewer: does not match (generated.yaml:1)",
        "    ✗ to[0].operation.methods: which wants method GET or HEAD and the request has PUT",
        "    ✓ from[0].source.principals: source principal spiffe://cluster.local/ns/foo/sa/web is cluster.local/ns/foo/sa/web",
        "    ✓ to[0].operation.paths: path /info is /info*",
        "    ✓ when[request.headers[x-team]]: header x-team blue is blue",
        "nearest allow:",
        "    method: PUT → GET",
      ],
    );
  });

  test("hides what opens doors", () => {
    const when = [{ key: "request.headers[authorization]", values: ["Bearer good"] }];
    const policies = compileParts([{ rules: [{ when }] }]);
    const text = JSON.stringify(explain(policies, makeRequest({ pairs: [["authorization", "Bearer secret"]] })));
    expect(text).toContain("(hidden)");
    expect(text).not.toContain("secret");
  });

  test("names providers that have a say before", () => {
    const custom: PolicyParts = { name: "c", action: "CUSTOM", provider: "opa", rules: [{}] };
    expect(renderExplanation(explain(compileParts([custom]), makeRequest(web)))).toContain(
      "before that, provider opa is asked, because of rule 0 of foo/c",
    );
  });
});

describe("the nearest allow", () => {
  const changes = (policies: readonly PolicyParts[], request: RequestParts): unknown =>
    explain(compileParts(policies), makeRequest(request)).nearestAllow?.changes;
  test("changes as little as there is to change, of several rules the closest", () => {
    const far: PolicyParts = { name: "a-far", rules: [{ to: [{ methods: ["PUT"], paths: ["/x"], hosts: ["y"] }] }] };
    expect(changes([far, viewer], { ...web, path: "/other" })).toEqual([
      { attribute: "path", from: "/other", to: "/info" },
    ]);
  });

  test("leaves a DENY and fulfils an ALLOW at once", () => {
    expect(changes([viewer, noAdmin], { ...web, path: "/admin" })).toEqual([
      { attribute: "path", from: "/admin", to: "/info" },
    ]);
  });

  test("goes round a DENY that stands in the way", () => {
    const allow: PolicyParts = { name: "a", rules: [{ to: [{ paths: ["/admin", "/info"] }] }] };
    expect(changes([allow, noAdmin], { path: "/none" })).toEqual([{ attribute: "path", from: "/none", to: "/info" }]);
  });

  test("mixes a SPIFFE ID from what several conditions ask for", () => {
    const rule = { from: [{ namespaces: ["a"], trustDomains: ["td"], notPrincipals: ["*/sa/default"] }] };
    const [change] = (changes([{ rules: [rule] }], {}) ?? []) as readonly { to: string }[];
    expect(change?.to).toMatch(/^spiffe:\/\/td\/ns\/a\/sa\/(?!default$)/);
  });

  test("is not there where nothing can be allowed", () => {
    expect(changes([{ rules: [] }], web)).toBeUndefined();
    expect(changes([{ action: "DENY", rules: [{}] }], web)).toBeUndefined();
  });
});

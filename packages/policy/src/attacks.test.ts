import { type AuthorizationPolicy, parseWorkload } from "@signet/documents";
import { describe, expect, test } from "vitest";
import { compilePolicies } from "./compile-policies.ts";
import { decide } from "./decide.ts";
import { explain } from "./explain.ts";
import { policiesFor, type WorkloadPolicies } from "./policies-for.ts";
import { compileParts, makeRequest } from "./testing/decide-with.ts";
import { makePolicy, type PolicyParts } from "./testing/generate-policies.ts";

/**
 * What must stay true however large or odd policies and requests are. Work is counted, not timed: a request looks at what a
 * header is called, and only rules that ask for one do, so that a probe tells how many rules were compared.
 */
function countingRequest(name: string): {
  readonly request: ReturnType<typeof makeRequest>;
  readonly looks: () => number;
} {
  let looks = 0;
  const headers = {
    get: (asked: string): string | undefined => {
      if (asked === name) looks++;
      return undefined;
    },
  };
  return { request: { ...makeRequest({}), headers } as ReturnType<typeof makeRequest>, looks: () => looks };
}

function compileDocuments(documents: readonly AuthorizationPolicy[]): WorkloadPolicies {
  return policiesFor(compilePolicies({ documents, refused: [] }).compiled, parseWorkload("foo"));
}

describe("sizes", () => {
  // 100000 take some seconds to compile: SIGNET_POLICY_SIZE=100000.
  const size = Number(process.env.SIGNET_POLICY_SIZE ?? 10_000);
  test(`${size} policies, of which a request meets one`, { timeout: 120_000 }, () => {
    const documents = Array.from({ length: size }, (_, index) =>
      makePolicy({
        name: `p-${index}`,
        rules: [
          {
            from: [{ principals: [`cluster.local/ns/ns-${index % 5_000}/sa/sa-${index % 7}`] }],
            to: [{ paths: [`/service-${index}/*`], methods: ["GET"] }],
            when: [{ key: "request.headers[x-probe]", notValues: ["x"] }],
          },
        ],
      }),
    );
    const policies = compileDocuments(documents);
    const { request, looks } = countingRequest("x-probe");
    const asked = { ...request, peerPrincipal: "spiffe://cluster.local/ns/ns-77/sa/sa-2", path: "/service-5077/x" };
    expect(decide(policies, asked)).toMatchObject({ effect: "allow", policy: { name: "p-5077" } });
    expect(looks()).toBe(1);
  });

  test("512 rules of 512 values each, a policy of more than 10 MB", { timeout: 120_000 }, () => {
    const padding = "x".repeat(30);
    const rules = Array.from({ length: 512 }, (_, rule) => ({
      to: [{ paths: Array.from({ length: 512 }, (__, value) => `/${padding}/${rule}/${value}/*`) }],
      when: [{ key: "request.headers[x-probe]", notValues: ["x"] }],
    }));
    expect(JSON.stringify(rules).length).toBeGreaterThan(10_000_000);
    const policies = compileDocuments([makePolicy({ rules })]);
    const { request, looks } = countingRequest("x-probe");
    expect(decide(policies, { ...request, path: `/${padding}/400/500/x` } as typeof request).ruleIndex).toBe(400);
    expect(looks()).toBe(1);
  });

  test("a rule of 512 values in every place does not multiply", { timeout: 120_000 }, () => {
    const values = (text: string): readonly string[] => Array.from({ length: 512 }, (_, index) => `${text}${index}`);
    const rule = {
      from: [{ principals: values("td/ns/a/sa/"), namespaces: values("n"), trustDomains: values("t") }],
      to: [{ paths: values("/p"), methods: values("M"), hosts: values("h") }],
      when: [{ key: "request.headers[h]", values: values("v") }],
    };
    const policies: readonly PolicyParts[] = Array.from({ length: 20 }, (_, index) => ({
      name: `p-${index}`,
      rules: [rule],
    }));
    const decision = decide(compileParts(policies), makeRequest({ path: "/p1", method: "M1", host: "h1" }));
    expect(decision.because).toBe("no-allow-matched");
  });

  test("an explanation of 10000 policies tells of a few and counts the others", { timeout: 120_000 }, () => {
    const documents = Array.from({ length: 10_000 }, (_, index) =>
      makePolicy({ name: `p-${index}`, rules: [{ to: [{ paths: [`/${index}`] }] }] }),
    );
    const explanation = explain(compileDocuments(documents), makeRequest({ path: "/none" }));
    expect(explanation.rules).toHaveLength(20);
    expect(explanation.omitted).toBe(9_980);
    expect(explanation.nearestAllow?.changes).toMatchObject([{ attribute: "path", from: "/none" }]);
  });
});

describe("texts made to be slow to match", () => {
  const long = 200_000;
  test("a glob with many stars against what almost matches", () => {
    const namespaces = [`${"a*".repeat(200)}b`];
    const peerPrincipal = `spiffe://td/ns/${"a".repeat(long)}/sa/x`;
    const policies = compileParts([{ rules: [{ from: [{ namespaces }] }] }]);
    expect(decide(policies, makeRequest({ peerPrincipal })).effect).toBe("deny");
    expect(decide(policies, makeRequest({ peerPrincipal: `${peerPrincipal}\n` })).effect).toBe("deny");
  });

  test("many places where a service account could be", () => {
    const policies = compileParts([{ rules: [{ from: [{ serviceAccounts: ["a/b"] }] }] }]);
    for (const end of ["", "\n", "\xff"]) {
      const peerPrincipal = `spiffe://td${"/ns/a/sa/b".repeat(long / 10)}x${end}`;
      expect(decide(policies, makeRequest({ peerPrincipal })).effect).toBe(end !== "\n" ? "allow" : "deny");
    }
  });

  test("a template against a path of nothing but what its operators cover", () => {
    const paths = ["/{*}/{*}/{*}/{*}/{*}/{**}/end"];
    const policies = compileParts([{ rules: [{ to: [{ paths }] }] }]);
    expect(decide(policies, makeRequest({ path: "/a".repeat(long) })).effect).toBe("deny");
    expect(decide(policies, makeRequest({ path: `${"/a".repeat(long)}/end` })).effect).toBe("allow");
    expect(decide(policies, makeRequest({ path: "/".repeat(long) })).effect).toBe("deny");
  });

  test("a prefix tree as deep as a path is long", () => {
    const paths = Array.from({ length: 500 }, (_, index) => `/${"a".repeat(index)}*`);
    const policies = compileParts([{ rules: paths.map((path) => ({ to: [{ paths: [path], methods: ["NEVER"] }] })) }]);
    expect(decide(policies, makeRequest({ path: `/${"a".repeat(long)}` })).effect).toBe("deny");
  });
});

describe("odd octets", () => {
  test.each([
    ["\0", "NUL"],
    ["%00", "encoded NUL"],
    ["\u00c0\u00af", "an overlong slash"],
    ["/..;/", "dot segments that nobody normalized"],
    ["\u202e", "a character that is no octet"],
  ])("%j in a path is compared as it is: %s", (odd) => {
    const policies: readonly PolicyParts[] = [{ action: "DENY", rules: [{ to: [{ paths: ["/admin*", "*/admin"] }] }] }];
    const decision = decide(compileParts(policies), makeRequest({ path: `/x${odd}y` }));
    expect(decision.because).toBe("no-policy");
    expect(decide(compileParts(policies), makeRequest({ path: `/admin${odd}` })).because).toBe("deny-matched");
  });

  test("claims and metadata are own properties", () => {
    const key = "request.auth.claims[toString][name]";
    const policies = compileParts([{ rules: [{ when: [{ key, values: ["*"] }] }] }]);
    expect(decide(policies, makeRequest({ jwtPayload: {} })).effect).toBe("deny");
  });

  test("what an explanation says cannot write to a terminal", () => {
    const policies = compileParts([{ rules: [{ to: [{ paths: ["/a"] }] }] }]);
    const explanation = explain(policies, makeRequest({ path: "/\u001b[31m\u009b\u0007\n" }));
    expect(explanation.rules[0]?.failed[0]?.actual).toBe("/\u001b[31m\u009b\u0007\n");
  });
});

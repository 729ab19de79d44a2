import { describe, expect, test } from "vitest";
import { decide } from "../decide.ts";
import { compileParts, makeRequest } from "../testing/decide-with.ts";
import type { PolicyParts, RuleParts } from "../testing/generate-policies.ts";

/** Enough rules of a kind that they are found and not compared one by one. */
function many(rule: (index: number) => RuleParts): readonly PolicyParts[] {
  return Array.from({ length: 40 }, (_, index) => ({ name: `p-${index}`, rules: [rule(index)] }));
}

describe("rules are found", () => {
  test("by either of two sources that share a key and differ in another", () => {
    // Principals are what tells most rules apart, and addresses those that share one.
    const policies = compileParts(
      Array.from({ length: 400 }, (_, index): PolicyParts => {
        const principals = [`td/ns/a/sa/${index >> 3}`];
        const ip = index & 7;
        const from = [1, 2].map((last) => ({ principals, ipBlocks: [`10.0.${ip}.${last}`] }));
        return { name: `p-${index}`, rules: [{ from }] };
      }),
    );
    for (const last of [1, 2]) {
      const request = makeRequest({ peerPrincipal: "spiffe://td/ns/a/sa/20", directRemoteIp: `10.0.7.${last}` });
      expect(decide(policies, request).policy?.name).toBe("p-167");
    }
    const other = makeRequest({ peerPrincipal: "spiffe://td/ns/a/sa/20", directRemoteIp: "10.0.7.3" });
    expect(decide(policies, other).effect).toBe("deny");
  });

  test("by one source in one way and another source in another", () => {
    const policies = compileParts(
      many((index) => ({ from: [{ principals: [`td/ns/a/sa/${index}`] }, { namespaces: [`n-${index}`] }] })),
    );
    const decided = (peerPrincipal: string): string | undefined =>
      decide(policies, makeRequest({ peerPrincipal })).policy?.name;
    expect(decided("spiffe://td/ns/a/sa/9")).toBe("p-9");
    expect(decided("spiffe://any/ns/n-11/sa/x")).toBe("p-11");
    expect(decided("spiffe://any/ns/a/ns/n-12/sa/x")).toBe("p-12");
    expect(decided("spiffe://any/ns/n/sa/x")).toBeUndefined();
  });

  test("by any of the values of a repeated header, and of a claim that is a list", () => {
    const policies = compileParts(
      many((index) => ({
        when: [
          index % 2 === 0
            ? { key: "request.headers[x-team]", values: [`team-${index}`] }
            : { key: "request.auth.claims[groups]", values: [`group-${index}*`] },
        ],
      })),
    );
    const pairs = [
      ["x-team", "none"],
      ["x-team", "team-8"],
    ] as const;
    expect(decide(policies, makeRequest({ pairs })).policy?.name).toBe("p-8");
    const jwtPayload = { groups: [1, "none", "group-9-admins"] };
    expect(decide(policies, makeRequest({ jwtPayload })).policy?.name).toBe("p-9");
  });

  test("by prefixes within prefixes, whole texts among them, and suffixes", () => {
    const values = ["/a*", "/a/b*", "/a/b/c*", "/a/b/c", "*.jpg", "*/c.jpg", "/a/b/c.jpg", "/*"];
    const policies = compileParts([
      ...values.map(
        (value, index): PolicyParts => ({ name: `v-${index}`, action: "AUDIT", rules: [{ to: [{ paths: [value] }] }] }),
      ),
      ...many((index) => ({ to: [{ paths: [`/other/${index}`] }] })).map((policy) => ({
        ...policy,
        action: "AUDIT" as const,
      })),
    ]);
    const found = (path: string): readonly (string | undefined)[] =>
      decide(policies, makeRequest({ path })).audit.map(({ policy }) => policy.name.replace("v-", ""));
    expect(found("/a/b/c")).toEqual(["0", "1", "2", "3", "7"]);
    expect(found("/a/b/c.jpg")).toEqual(["0", "1", "2", "4", "5", "6", "7"]);
    expect(found("/other/3?x=/a")).toEqual(["p-3", "7"]);
    expect(found("/")).toEqual(["7"]);
    expect(found("*")).toEqual([]);
  });
});

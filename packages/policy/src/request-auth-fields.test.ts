import { describe, expect, test } from "vitest";
import { ruleMatches } from "./testing/decide-with.ts";

describe("3.11 requestPrincipals", () => {
  const idp = "https://idp.example";
  test.each([
    ["*", idp, "alice", true],
    ["*", idp, "", false],
    ["*", "", "alice", false],
    ["*", idp, undefined, false],
    [`${idp}/alice`, idp, "alice", true],
    [`${idp}/alice`, idp, "bob", false],
    [`${idp}/*`, idp, "anybody", true],
    [`${idp}/*`, idp, "", false],
    [`${idp}/al*`, idp, "alice", true],
    ["*/alice", idp, "alice", true],
    ["*/alice", "", "alice", false],
    ["*.example/alice", idp, "alice", true],
    ["*.example/al*", idp, "al*", true],
    ["*.example/al*", idp, "alice", false],
    ["*ice", idp, "alice", true],
    ["https*", idp, "alice", true],
    ["idp*", "idp.example", "alice", true],
    ["alice", "alice", "", true],
    ["alice", "alice", "x", false],
    [`${idp}*`, idp, "alice", false],
    [`${idp}/repo:a/b`, idp, "repo:a/b", false],
    [`${idp}//alice`, `${idp}/`, "alice", true],
    [`${idp}/alice`, `${idp}/`, "alice", false],
    ["*", idp, 7, false],
  ])("%s and issuer %s, subject %s: %s", (value, iss, sub, matches) => {
    const jwtPayload = { iss, ...(sub !== undefined && { sub }) };
    expect(ruleMatches({ from: [{ requestPrincipals: [value] }] }, { jwtPayload })).toBe(matches);
    expect(ruleMatches({ from: [{ notRequestPrincipals: [value] }] }, { jwtPayload })).toBe(!matches);
    const key = "request.auth.principal";
    expect(ruleMatches({ when: [{ key, values: [value] }] }, { jwtPayload })).toBe(matches);
  });

  test("without a token the positive is false and the negative true", () => {
    expect(ruleMatches({ from: [{ requestPrincipals: ["*"] }] }, {})).toBe(false);
    expect(ruleMatches({ from: [{ notRequestPrincipals: ["*"] }] }, {})).toBe(true);
  });

  test("several values are ORed", () => {
    const rule = { from: [{ requestPrincipals: ["a/b", "https://idp.example/alice"] }] };
    expect(ruleMatches(rule, { jwtPayload: { iss: "https://idp.example", sub: "alice" } })).toBe(true);
  });
});

describe("3.12 claims", () => {
  const claim = "request.auth.claims[groups]";
  test.each([
    [claim, "blue", { groups: "blue" }, true],
    [claim, "blue", { groups: ["red", "blue"] }, true],
    [claim, "blue", { groups: ["red"] }, false],
    [claim, "blue", { groups: [["blue"]] }, false],
    [claim, "blue", { groups: { blue: true } }, false],
    [claim, "1", { groups: 1 }, false],
    [claim, "true", { groups: true }, false],
    [claim, "null", { groups: null }, false],
    [claim, "b*", { groups: "blue" }, true],
    [claim, "*", { groups: "" }, false],
    [claim, "*", { groups: ["", "x"] }, true],
    [claim, "*", { groups: "a\nb" }, false],
    [claim, "a b", { groups: ["a", "b"] }, false],
    [claim, "ü", { groups: "ü" }, true],
    [claim, "blue", {}, false],
    ["request.auth.claims[realm][roles]", "admin", { realm: { roles: ["admin"] } }, true],
    ["request.auth.claims[realm][roles]", "admin", { realm: [{ roles: "admin" }] }, false],
    ["request.auth.claims[realm][roles]", "admin", { realm: "x" }, false],
    ["request.auth.claims[https://x.y/z]", "v", { "https://x.y/z": "v" }, true],
    ["request.auth.claims[a b:c.d]", "v", { "a b:c.d": "v" }, true],
    ["request.auth.claims[[x]]", "v", { "[x]": "v" }, true],
    ["request.auth.claims[constructor]", "*", {}, false],
    ["request.auth.claims[__proto__][x]", "*", {}, false],
    ["request.auth.audiences", "api", { aud: "api" }, true],
    ["request.auth.audiences", "api", { aud: ["web", "api"] }, true],
    ["request.auth.presenter", "app", { azp: "app" }, true],
    ["request.auth.presenter", "app", { azp: ["app"] }, true],
  ])("%s %s and %j: %s", (key, value, jwtPayload, matches) => {
    expect(ruleMatches({ when: [{ key, values: [value] }] }, { jwtPayload })).toBe(matches);
    expect(ruleMatches({ when: [{ key, notValues: [value] }] }, { jwtPayload })).toBe(!matches);
  });

  test("two conditions on one list ask for both (3.3)", () => {
    const when = ["a", "b"].map((value) => ({ key: claim, values: [value] }));
    expect(ruleMatches({ when }, { jwtPayload: { groups: ["a", "b", "c"] } })).toBe(true);
    expect(ruleMatches({ when }, { jwtPayload: { groups: ["a"] } })).toBe(false);
  });
});

import { describe, expect, test } from "vitest";
import { all, allIds, any, claim, claimIs, one, oneId, peer, regex, translated } from "./test-shapes.ts";

describe("spec 3.11: request principals", () => {
  const some = regex(".+");

  test.each<[string, object, object]>([
    ["*", some, some],
    ["I/S", { exact: "I" }, { exact: "S" }],
    ["I/*", { exact: "I" }, some],
    ["I/S*", { exact: "I" }, { prefix: "S" }],
    ["*/S", some, { exact: "S" }],
    ["*X/S", { suffix: "X" }, { exact: "S" }],
    ["*X/S*", { suffix: "X" }, { exact: "S*" }],
    ["*X", some, { suffix: "X" }],
    ["X*", { prefix: "X" }, some],
    ["X", { exact: "X" }, { exact: "" }],
    ["https://idp.example*", { exact: "https:/" }, { prefix: "idp.example" }],
    ["https://idp.example/*", { exact: "https://idp.example" }, some],
    ["repo:a/b", { exact: "repo:a" }, { exact: "b" }],
    ["https://idp//sub", { exact: "https://idp/" }, { exact: "sub" }],
  ])("%s", (value, issuer, subject) => {
    const is = allIds(
      claim(["payload", "iss"], { stringMatch: issuer }),
      claim(["payload", "sub"], { stringMatch: subject }),
    );
    const [yes, no] = ["requestPrincipals", "notRequestPrincipals"].map((field) =>
      translated(`{from: [{source: {${field}: ["${value}"]}}]}`),
    );
    expect(yes).toMatchObject({ principals: [allIds(is)] });
    expect(no).toMatchObject({ principals: [allIds({ notId: is })] });
    expect(translated(`{when: [{key: request.auth.principal, values: ["${value}"]}]}`)).toEqual(yes);
  });

  test("several are or-ed", () => {
    const rule = Object(translated("{from: [{source: {requestPrincipals: [a/b, c/d]}}]}"));
    expect(rule.principals[0].andIds.ids[0].orIds.ids).toHaveLength(2);
  });
});

describe("spec 3.6 and 7.3: conditions", () => {
  const s = (text: string): object => ({ stringMatch: { exact: text } });

  test.each<[string, string, object]>([
    ["request.headers[X-Id]", "a", oneId({ header: { name: "X-Id", stringMatch: { exact: "a" } } })],
    ["request.headers[x]", "*", oneId({ header: { name: "x", presentMatch: true } })],
    ["request.headers[:path]", "/a*", oneId({ header: { name: ":path", stringMatch: { prefix: "/a" } } })],
    ["source.ip", "10.0.0.1", oneId({ directRemoteIp: { addressPrefix: "10.0.0.1", prefixLen: 32 } })],
    ["remote.ip", "10.0.0.0/8", oneId({ remoteIp: { addressPrefix: "10.0.0.0", prefixLen: 8 } })],
    ["source.namespace", "a*", oneId(peer(regex(".*/ns/a.*/.*")))],
    ["source.serviceAccount", "b", oneId(peer(regex("spiffe://.+/ns/foo/(.+/|)sa/b(/.+)?")))],
    ["source.trustDomain", "td", oneId(peer({ prefix: "spiffe://td/" }))],
    ["source.principal", "td/*", oneId(peer({ prefix: "spiffe://td/" }))],
    ["request.auth.audiences", "a", claimIs(["payload", "aud"], s("a"))],
    ["request.auth.presenter", "a", claimIs(["payload", "azp"], s("a"))],
    ["request.auth.claims[a]", "b*", claimIs(["payload", "a"], { stringMatch: { prefix: "b" } })],
    ["request.auth.claims[a][b.c]", "d", claimIs(["payload", "a", "b.c"], s("d"))],
    ["request.auth.claims[https://x.y/z]", "d", claimIs(["payload", "https://x.y/z"], s("d"))],
    ["request.auth.claims[[x]]", "d", claimIs(["payload", "[x]"], s("d"))],
  ])("%s of %s stands among the principals", (key, value, expected) => {
    expect(translated(`{when: [{key: "${key}", values: ["${value}"]}]}`)).toEqual({
      permissions: [all(any)],
      principals: [allIds(expected)],
    });
    expect(translated(`{when: [{key: "${key}", notValues: ["${value}"]}]}`)).toMatchObject({
      principals: [allIds({ notId: expected })],
    });
  });

  const metadata = (filter: string, value: object): object => ({ metadata: { filter, path: [{ key: "k" }], value } });

  test.each<[string, string, object]>([
    ["destination.ip", "10.0.0.1", one({ destinationIp: { addressPrefix: "10.0.0.1", prefixLen: 32 } })],
    ["destination.port", "80", one({ destinationPort: 80 })],
    ["connection.sni", "*.x", one({ requestedServerName: { suffix: ".x" } })],
    ["experimental.envoy.filters.a.b[k]", "v", metadata("envoy.filters.a.b", s("v"))],
    [
      "experimental.envoy.filters.a.b[k]",
      "[v*]",
      metadata("envoy.filters.a.b", { listMatch: { oneOf: { stringMatch: { prefix: "v" } } } }),
    ],
  ])("%s of %s stands among the permissions", (key, value, expected) => {
    expect(translated(`{when: [{key: "${key}", values: ["${value}"]}]}`)).toEqual({
      permissions: [all(expected)],
      principals: [allIds(any)],
    });
    expect(translated(`{when: [{key: "${key}", notValues: ["${value}"]}]}`)).toMatchObject({
      permissions: [all({ notRule: expected })],
    });
  });

  test("several values of a claim are or-ed within the list", () => {
    const value = { orMatch: { valueMatchers: [s("a"), s("b")] } };
    expect(translated(`{when: [{key: "request.auth.claims[c]", values: [a, b]}]}`)).toMatchObject({
      principals: [allIds(claimIs(["payload", "c"], value))],
    });
  });

  test("two conditions with one key are both asked", () => {
    const condition = (value: string): string => `{key: "request.auth.claims[c]", values: [${value}]}`;
    expect(translated(`{when: [${condition("a")}, ${condition("b")}]}`)).toMatchObject({
      principals: [allIds(claimIs(["payload", "c"], s("a")), claimIs(["payload", "c"], s("b")))],
    });
  });
});

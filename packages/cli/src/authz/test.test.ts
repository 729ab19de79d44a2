import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { CommandIo } from "../input/command-io.ts";
import { createJwtFixture, type JwtFixture, now, one, type Ran } from "../testing/jwt-fixture.ts";
import { runAuthzTest } from "./test.ts";

let fixture: JwtFixture;
beforeEach(() => {
  fixture = createJwtFixture();
  fixture.put("policy.yaml", policy);
});
afterEach(() => {
  fixture.remove();
});

const policy = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: web, namespace: foo}
spec:
  rules:
  - from: [{source: {principals: [cluster.local/ns/foo/sa/web]}}]
    to: [{operation: {methods: [GET]}}]
  - when: [{key: "request.auth.claims[group]", values: [blue]}]
  - from: [{source: {remoteIpBlocks: [192.0.2.0/24]}}]
---
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {name: jwt, namespace: foo}
spec: {jwtRules: [{issuer: "${one.issuer}"}]}
`;
const head =
  "apiVersion: test.signet/v1\nkind: AuthorizationTest\nmetadata: {name: shop}\nworkload: foo/app=httpbin\ncases:\n";
const good = `${head}- name: web may read
  request: {method: GET, path: /a, principal: cluster.local/ns/foo/sa/web, headers: {x-a: [b, c], x-d: e}, port: 8080}
  expect: {effect: allow, policy: foo/web, rule: 0, reason: allow-matched, audit: []}
- name: nobody else may
  request: {method: GET}
  expect: deny
- name: blue may
  request: {claims: {group: [red, blue]}}
  expect: {effect: allow, rule: 1}
- name: with a path as the client sends it
  request: {path: /x/../a, claims: {group: blue}}
  expect: allow
- name: behind a proxy
  request: {sourceIp: 10.0.0.1, remoteIp: 192.0.2.9}
  expect: {rule: 2}
- name: as attributes
  attributes: {source: {principal: "spiffe://cluster.local/ns/foo/sa/web"}, request: {http: {method: GET, path: /}}}
  expect: allow
- name: in another namespace there is no policy
  workload: bar/app=httpbin
  request: {}
  expect: {reason: no-policy, policy: null}
`;

function run(...flags: readonly string[]): Promise<Ran> {
  const command = (args: readonly string[], io: CommandIo): Promise<number> => runAuthzTest(args, {}, io);
  return fixture.run(command, ["--policies", fixture.directory, "--now", now, ...flags]);
}

describe("signet authz test", () => {
  test("runs cases that lie beside the policies, which read them not", async () => {
    fixture.put("shop.test.yaml", good);
    const { code, out, err } = await run();
    expect(err).toBe("");
    expect(code).toBe(0);
    expect(out.replaceAll(fixture.directory, "DIR").split("\n")).toEqual([
      "DIR/shop.test.yaml",
      "  ✓ shop: web may read",
      "  ✓ shop: nobody else may",
      "  ✓ shop: blue may",
      "  ✓ shop: with a path as the client sends it",
      "  ✓ shop: behind a proxy",
      "  ✓ shop: as attributes",
      "  ✓ shop: in another namespace there is no policy",
      "7 cases: 7 passed, 0 failed",
      "",
    ]);
  });

  const bad = `${head}- name: web may <write>
  request: {method: POST, principal: cluster.local/ns/foo/sa/web}
  expect: {effect: allow, policy: foo/web}
- name: web may read
  request: {method: GET, principal: cluster.local/ns/foo/sa/web}
  expect: allow
`;

  test("shows a diff and the reason where a decision is another one", async () => {
    fixture.put("shop.test.yaml", bad);
    const { code, out } = await run();
    expect(code).toBe(1);
    expect(out.replaceAll(fixture.directory, "DIR").split("\n")).toEqual([
      "DIR/shop.test.yaml",
      "  ✗ shop: web may <write> (line 6)",
      '      - effect: "allow"',
      '      + effect: "deny"',
      '      - policy: "foo/web"',
      "      + policy: null",
      expect.stringContaining(
        "      denied: no ALLOW policy matched; closest is rule 0 of foo/web, which wants method GET",
      ),
      "  ✓ shop: web may read",
      "2 cases: 1 passed, 1 failed",
      "",
    ]);
  });

  test("writes JUnit's XML", async () => {
    fixture.put("shop.test.yaml", bad);
    const file = join(fixture.directory, "report.xml");
    expect(await run("--junit", file)).toMatchObject({ code: 1 });
    const lines = readFileSync(file, "utf8").replaceAll(fixture.directory, "DIR").split("\n");
    expect(lines).toEqual([
      '<?xml version="1.0" encoding="UTF-8"?>',
      '<testsuites name="signet authz test" tests="2" failures="1" errors="0">',
      '  <testsuite name="DIR/shop.test.yaml" tests="2" failures="1" errors="0" skipped="0">',
      '    <testcase name="web may &lt;write&gt;" classname="shop" file="DIR/shop.test.yaml" line="6">',
      expect.stringMatching(/^ {6}<failure message="denied: [^"<]*" type="decision">- effect: &quot;allow&quot;$/),
      "+ effect: &quot;deny&quot;",
      "- policy: &quot;foo/web&quot;",
      "+ policy: null</failure>",
      "    </testcase>",
      '    <testcase name="web may read" classname="shop" file="DIR/shop.test.yaml" line="9"/>',
      "  </testsuite>",
      "</testsuites>",
      "",
    ]);
  });

  test("tells a program the same", async () => {
    fixture.put("shop.test.yaml", bad);
    const { cases, summary } = JSON.parse((await run("--json")).out);
    expect(summary).toEqual({ cases: 2, passed: 1, failed: 1 });
    expect(cases[0]).toMatchObject({ suite: "shop", passed: false, actual: { effect: "deny", policy: null } });
  });

  test("verifies tokens that are in headers", async () => {
    const token = one.sign({ group: "blue" });
    fixture.put(
      "t.yaml",
      `${head}- name: t\n  request: {headers: {authorization: "Bearer ${token}"}}\n  expect: {effect: allow, rule: 1}\n`,
    );
    const keys = ["--jwks", `${one.issuer}=${fixture.put("keys.txt", one.jwks)}`];
    expect(await run(...keys)).toMatchObject({ code: 0 });
  });

  test("finds cases elsewhere, and takes the workload of the command line", async () => {
    const file = fixture.put("cases.txt", good.replace("workload: foo/app=httpbin\n", ""));
    expect(await run("--tests", file, "--workload", "foo/app=httpbin")).toMatchObject({ code: 0 });
    expect(await run("--tests", file)).toMatchObject({ code: 2, err: expect.stringContaining("has no workload") });
  });

  test.each<[string, string, string]>([
    ["no case", "apiVersion: v1\nkind: Service\n", "there is no case of an AuthorizationTest in"],
    [
      "another version",
      good.replace("signet/v1", "signet/v2"),
      ".yaml:1:13: apiVersion is not valid: an AuthorizationTest",
    ],
    ["a typo", good.replace("method: GET", "methd: GET"), "cases[0].request.methd is not valid: unknown field"],
    ["a port that is none", good.replace("port: 8080", "port: 0"), "cases[0].request.port is no port"],
    ["no name", good.replace("- name: web may read", "- name: ''"), "cases[0] has no name"],
    ["nothing expected", good.replace("expect: deny", "expect: {}"), "cases[1].expect expects nothing"],
    [
      "another effect",
      good.replace("expect: deny", "expect: refuse"),
      "cases[1].expect is to be allow, deny, or a map",
    ],
    ["a field no decision has", good.replace("expect: deny", "expect: {status: 403}"), 'expects "status"'],
    ["no request", good.replace("  request: {method: GET}\n", ""), "cases[1] has no request and no attributes"],
    ["attributes of no kind", good.replace("{source: {principal", "{source: [], x: {principal"), "attributes "],
    ["a workload that is none", good.replace("bar/app", "Bar/app"), "cases[6].workload is not valid"],
    ["broken YAML", `${good}\n  ]`, ".yaml:"],
  ])("refuses a file with %s", async (_, text, problem) => {
    fixture.put("t.yaml", text);
    const { code, out, err } = await run();
    expect([code, out]).toEqual([2, ""]);
    expect(err).toContain(problem);
  });
});

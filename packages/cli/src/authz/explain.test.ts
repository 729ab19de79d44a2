import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { CommandIo } from "../input/command-io.ts";
import { createJwtFixture, type JwtFixture, now, one, type Ran } from "../testing/jwt-fixture.ts";
import { runAuthzExplain } from "./explain.ts";

let fixture: JwtFixture;
beforeEach(() => {
  fixture = createJwtFixture();
});
afterEach(() => {
  fixture.remove();
});

function document(kind: string, name: string, spec: string): string {
  return `apiVersion: security.istio.io/v1\nkind: ${kind}\nmetadata: {name: ${name}, namespace: foo}\nspec: {${spec}}\n---\n`;
}

const web = document(
  "AuthorizationPolicy",
  "web",
  "rules: [{from: [{source: {principals: [cluster.local/ns/foo/sa/web]}}], to: [{operation: {methods: [GET]}}]}]",
);
const blue = document(
  "AuthorizationPolicy",
  "blue",
  'rules: [{when: [{key: "request.auth.claims[group]", values: [blue]}]}]',
);
const idp = document("RequestAuthentication", "jwt", `jwtRules: [{issuer: "${one.issuer}"}]`);
const near = document("AuthorizationPolicy", "near", "rules: [{from: [{source: {remoteIpBlocks: [192.0.2.0/24]}}]}]");
const custom = document("AuthorizationPolicy", "ask", "action: CUSTOM, provider: {name: ext}, rules: [{}]");
const strict = document("PeerAuthentication", "default", "mtls: {mode: STRICT}");

function run(documents: string, flags: readonly string[], stdin = ""): Promise<Ran> {
  const line = [
    "--policies",
    fixture.put("p.yaml", documents),
    "--workload",
    "foo/app=httpbin",
    "--now",
    now,
    ...flags,
  ];
  return fixture.run((args: readonly string[], io: CommandIo) => runAuthzExplain(args, {}, io), line, stdin);
}

const asWeb = ["--principal", "cluster.local/ns/foo/sa/web"];

describe("signet authz explain", () => {
  test("prints the request, the decision in a sentence, and a tree", async () => {
    const { code, out, err } = await run(web, [
      ...asWeb,
      "--method",
      "POST",
      "--host",
      "shop",
      "--path",
      "/a?token=b",
      "--port",
      "80",
    ]);
    expect([code, err]).toEqual([1, ""]);
    expect(out.replaceAll(fixture.directory, "DIR").split("\n")).toEqual([
      "POST http://shop/a?... from spiffe://cluster.local/ns/foo/sa/web to foo/app=httpbin port 80",
      "denied: no ALLOW policy matched; closest is rule 0 of foo/web, which wants method GET and the request has POST; it would be allowed with method GET",
      "✗ ALLOW rule 0 of foo/web: does not match (DIR/p.yaml:4)",
      "    ✗ to[0].operation.methods: which wants method GET and the request has POST",
      "    ✓ from[0].source.principals: source principal spiffe://cluster.local/ns/foo/sa/web is cluster.local/ns/foo/sa/web",
      "nearest allow:",
      "    method: POST → GET",
      "",
    ]);
  });

  test.each<[string, readonly string[], string]>([
    ["flags", ["--method", "PUT", "--header", "x-a: b, c", "--header", "x-d: e"], ""],
    ["curl", ["--curl", "curl -X PUT http://shop/ -H 'x-a: b, c'"], ""],
    ["curl on standard input", ["--curl", "-"], "curl -X PUT http://shop/ -H 'x-a: b, c'"],
    [
      "an access log",
      ["--access-log", '[t] "PUT / HTTP/1.1" 200 - 0 1 2 3 "-" "-" "-" "shop" "-"', "--header", "x-a: b, c"],
      "",
    ],
    ["a file", ["--request", "-"], '{"request": {"http": {"method": "PUT", "path": "/", "headers": {"x-a": "b, c"}}}}'],
  ])("takes the request from %s", async (_, flags, stdin) => {
    const puts = document(
      "AuthorizationPolicy",
      "puts",
      'rules: [{to: [{operation: {methods: [PUT]}}], when: [{key: "request.headers[x-a]", values: ["b, c"]}]}]',
    );
    expect(await run(puts, flags, stdin)).toMatchObject({ code: 0, err: "" });
  });

  test("lets flags outrank the text", async () => {
    const line = ["--curl", "curl -X PUT http://shop/", "--method", "GET", ...asWeb];
    expect(await run(web, line)).toMatchObject({ code: 0 });
  });

  test("says the same to a program", async () => {
    const { code, out } = await run(web, [...asWeb, "--json"]);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      decision: { effect: "allow", policy: "foo/web", rule: 0, reason: "allow-matched", audit: [] },
      sentence: expect.stringContaining("allowed by rule 0 of foo/web"),
      explanation: { rules: [{ decided: true, failed: [] }] },
      logged: null,
    });
  });

  test("takes claims as verified, and verifies a token", async () => {
    expect(await run(idp + blue, ["--claims", '{"group": ["blue"]}'])).toMatchObject({ code: 0 });
    const keys = ["--jwks", `${one.issuer}=${fixture.put("k.json", one.jwks)}`];
    const file = fixture.put("token", one.sign({ group: "blue" }));
    expect(await run(idp + blue, [...keys, "--token-file", file])).toMatchObject({ code: 0 });
    const bad = fixture.put("bad", `${one.sign({ group: "blue" }).slice(0, -8)}AAAAAAAA`);
    const { code, out } = await run(idp + blue, [...keys, "--token-file", bad]);
    expect(code).toBe(1);
    expect(out).toContain("denied with 401: Jwt verification fails");
  });

  test("normalizes a path as the mesh does, unless a proxy has", async () => {
    const admin = document("AuthorizationPolicy", "admin", 'rules: [{to: [{operation: {paths: ["/admin"]}}]}]');
    expect(await run(admin, ["--path", "/x/%2e%2e/admin"])).toMatchObject({ code: 0 });
    expect(await run(admin, ["--path", "//admin"])).toMatchObject({ code: 1 });
    const mesh = fixture.put("mesh.txt", "pathNormalization: {normalization: MERGE_SLASHES}\n");
    expect(await run(admin, ["--path", "//admin", "--mesh-config", mesh])).toMatchObject({ code: 0 });
    const raw = '{"request": {"http": {"method": "GET", "path": "/x/../admin"}}}';
    expect(await run(admin, ["--request", "-"], raw)).toMatchObject({ code: 1 });
    expect(await run(admin, ["--path", "/a%00"])).toMatchObject({
      code: 2,
      err: expect.stringContaining("answers 400"),
    });
  });

  test("knows the client's address behind a proxy", async () => {
    expect(await run(near, ["--source-ip", "10.0.0.1", "--remote-ip", "192.0.2.7"])).toMatchObject({ code: 0 });
    expect(await run(near, ["--source-ip", "10.0.0.1"])).toMatchObject({ code: 1 });
  });

  test("says what denied a request before policies were asked", async () => {
    const plaintext = await run(strict + web, []);
    expect(plaintext.out).toContain("denied: it came in plaintext, and a PeerAuthentication wants mutual TLS");
    const asked = await run(custom, ["--json"]);
    expect(JSON.parse(asked.out)).toMatchObject({ decision: { reason: "custom-denied" }, explanation: null });
    expect(await run(custom, ["--custom-allow", "ext"])).toMatchObject({ code: 0 });
  });

  test("says whether a log tells of the same decision", async () => {
    const line = (details: string): string =>
      `[t] "POST / HTTP/1.1" 403 - ${details} - "-" 0 1 2 - "-" "-" "-" "shop" "-" x - 10.0.0.9:80 10.0.0.7:4 - default`;
    const same = await run(web, ["--access-log", line("rbac_access_denied_matched_policy[none]")]);
    expect(same.out).toContain("the log says: 403 rbac_access_denied_matched_policy[none]");
    expect(same.out).not.toContain("another decision");
    const other = await run(web, [
      "--access-log",
      line("rbac_access_denied_matched_policy[ns[foo]-policy[x]-rule[0]]"),
    ]);
    expect(other.out).toContain("that is another decision: a log has no principal and few headers");
    const without = await run(web, [
      ...asWeb,
      "--method",
      "GET",
      "--access-log",
      line("rbac_access_denied_matched_policy[none]"),
    ]);
    expect(without.out).toContain("that is another decision");
  });

  test("a request that would write to the terminal as text", async () => {
    const fields = { method: "G\u001b[2JT", path: "/", authority: "a\nallowed", response_code: 403 };
    const { out } = await run(web, ["--access-log", JSON.stringify(fields)]);
    expect(out.split("\n")[0]).toBe("G\\u001b[2JT http://a\\nallowed/ from plaintext to foo/app=httpbin");
    expect(out).not.toContain("\u001b");
  });

  test("connections of TCP", async () => {
    const ports = document("AuthorizationPolicy", "db", 'rules: [{to: [{operation: {ports: ["5432"]}}]}]');
    const { code, out } = await run(ports, ["--tcp", "--port", "5432"]);
    expect(code).toBe(0);
    expect(out).toContain("a TCP connection from plaintext to foo/app=httpbin port 5432");
  });

  test.each<[string, readonly string[], string]>([
    ["two texts", ["--curl", "x", "--access-log", "y"], "described by one of"],
    ["a curl line that is none", ["--curl", "wget x"], "--curl cannot be read: there is no word curl in it"],
    ["a log line that is none", ["--access-log", "x"], "--access-log cannot be read"],
    ["standard input twice", ["--curl", "-", "--token-file", "-"], "standard input is read for one flag alone"],
    ["a port that is none", ["--port", "http"], "--port"],
    ["an address that is none", ["--remote-ip", "x"], "--remote-ip"],
    ["claims that are no object", ["--claims", "[]"], "--claims"],
    ["a header without a name", ["--header", "x"], "--header wants"],
  ])("refuses a command line with %s", async (_, flags, problem) => {
    const { code, out, err } = await run(web, flags);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toContain(problem);
  });
});

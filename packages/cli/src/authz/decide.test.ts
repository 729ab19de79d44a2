import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createJwtFixture, type JwtFixture, now, one, type Ran, stranger } from "../testing/jwt-fixture.ts";
import { runAuthzDecide } from "./decide.ts";

let fixture: JwtFixture;
beforeEach(() => {
  fixture = createJwtFixture();
});
afterEach(() => {
  fixture.remove();
});

function document(kind: string, name: string, spec: object): string {
  return JSON.stringify({ apiVersion: "security.istio.io/v1", kind, metadata: { name, namespace: "foo" }, spec });
}

const allowWeb = document("AuthorizationPolicy", "web", {
  selector: { matchLabels: { app: "httpbin" } },
  rules: [
    { to: [{ operation: { paths: ["/health"] } }] },
    { from: [{ source: { principals: ["cluster.local/ns/foo/sa/web"] } }], to: [{ operation: { methods: ["GET"] } }] },
  ],
});
const audit = document("AuthorizationPolicy", "watch", { action: "AUDIT", rules: [{}] });
const strict = document("PeerAuthentication", "default", { mtls: { mode: "STRICT" } });
const idp = document("RequestAuthentication", "jwt", { jwtRules: [{ issuer: one.issuer }] });
const byClaim = document("AuthorizationPolicy", "claims", {
  rules: [{ when: [{ key: "request.auth.claims[group]", values: ["blue"] }] }],
});
const custom = document("AuthorizationPolicy", "ask", {
  action: "CUSTOM",
  provider: { name: "ext" },
  rules: [{ to: [{ operation: { paths: ["/asked"] } }] }],
});

const web = "spiffe://cluster.local/ns/foo/sa/web";

type Http = { readonly method?: string; readonly path?: string; readonly headers?: object };

function request(http: Http, more: { principal?: string; metadata?: object } = {}): string {
  return JSON.stringify({
    source: { address: { socketAddress: { address: "10.0.0.7" } }, principal: more.principal },
    destination: { address: { socketAddress: { address: "10.0.0.9", portValue: 8080 } } },
    request: { http: { method: "GET", path: "/", host: "httpbin.foo", scheme: "http", ...http } },
    metadataContext: { filterMetadata: more.metadata ?? {} },
  });
}

function run(documents: readonly string[], requests: readonly string[], ...flags: readonly string[]): Promise<Ran> {
  const file = fixture.put("policies.yaml", documents.join("\n---\n"));
  const line = ["--policies", file, "--workload", "foo/app=httpbin", "--request", "-", "--now", now, ...flags];
  const command = (args: readonly string[], io: Parameters<typeof runAuthzDecide>[2]): Promise<number> =>
    runAuthzDecide(args, {}, io);
  return fixture.run(
    command,
    line,
    requests.map((one) => `${one}\n`),
  );
}

async function decided(...args: Parameters<typeof run>): Promise<readonly unknown[]> {
  const { code, out, err } = await run(args[0], args[1], "--json", ...args.slice(2).flat());
  expect([code, err]).toEqual([0, ""]);
  return out
    .trimEnd()
    .split("\n")
    .map((line): unknown => JSON.parse(line));
}

const nobody = { policy: null, rule: null, audit: [] };

describe("signet authz decide", () => {
  test("prints one decision a line, with exactly these fields", async () => {
    const requests = [
      request({}, { principal: web }),
      request({ method: "POST" }, { principal: web }),
      request({ path: "/health?full=1" }),
      request({}),
    ];
    expect(await decided([allowWeb], requests)).toEqual([
      { effect: "allow", policy: "foo/web", rule: 1, reason: "allow-matched", audit: [] },
      { effect: "deny", ...nobody, reason: "no-allow-matched" },
      { effect: "allow", policy: "foo/web", rule: 0, reason: "allow-matched", audit: [] },
      { effect: "deny", ...nobody, reason: "no-allow-matched" },
    ]);
  });

  test("takes a request without source.principal for plaintext, which STRICT refuses", async () => {
    expect(await decided([strict, allowWeb], [request({ path: "/health" }), request({}, { principal: web })])).toEqual([
      { effect: "deny", ...nobody, reason: "mtls-required" },
      { effect: "allow", policy: "foo/web", rule: 1, reason: "allow-matched", audit: [] },
    ]);
  });

  test("verifies tokens where there are RequestAuthentications, and then believes no metadata", async () => {
    const keys = ["--jwks", `${one.issuer}=${fixture.put("keys.json", one.jwks)}`];
    const bearing = (token: string, metadata?: object): string =>
      request({ headers: { authorization: `Bearer ${token}` } }, metadata === undefined ? {} : { metadata });
    const metadata = { "envoy.filters.http.jwt_authn": { payload: { group: "blue" } } };
    const requests = [
      bearing(one.sign({ group: "blue" })),
      bearing(one.sign({ group: "red" })),
      bearing(stranger.sign({ group: "blue" })),
      request({}, { metadata }),
    ];
    expect(await decided([idp, byClaim], requests, ...keys)).toMatchObject([
      { effect: "allow", policy: "foo/claims", rule: 0, reason: "allow-matched" },
      { effect: "deny", reason: "no-allow-matched" },
      { effect: "deny", policy: null, rule: null, reason: "jwt-rejected" },
      { effect: "deny", reason: "no-allow-matched" },
    ]);
  });

  test("reads claims from metadata where there are no RequestAuthentications", async () => {
    const metadata = { "envoy.filters.http.jwt_authn": { payload: { group: ["red", "blue"] } } };
    expect(await decided([byClaim], [request({}, { metadata }), request({})])).toMatchObject([
      { effect: "allow", reason: "allow-matched" },
      { effect: "deny", reason: "no-allow-matched" },
    ]);
  });

  test("denies what a CUSTOM provider would be asked about, unless it is said to allow", async () => {
    const requests = [request({ path: "/asked" }), request({ path: "/other" })];
    expect(await decided([custom], requests)).toEqual([
      { effect: "deny", policy: "foo/ask", rule: 0, reason: "custom-denied", audit: [] },
      { effect: "allow", ...nobody, reason: "no-policy" },
    ]);
    expect(await decided([custom], requests, "--custom-allow", "ext")).toMatchObject([
      { effect: "allow" },
      { effect: "allow" },
    ]);
  });

  test("names AUDIT policies that match", async () => {
    expect(await decided([audit, allowWeb], [request({})])).toMatchObject([{ effect: "deny", audit: ["foo/watch"] }]);
  });

  test("goes by the mesh config", async () => {
    const mesh = fixture.put("mesh.yaml", "trustDomain: prod.example\ntrustDomainAliases: [old.example]\n");
    const old = request({}, { principal: "spiffe://old.example/ns/foo/sa/web" });
    expect(await decided([allowWeb], [old], "--mesh-config", mesh)).toMatchObject([{ effect: "allow" }]);
    expect(await decided([allowWeb], [old])).toMatchObject([{ effect: "deny" }]);
  });

  test("denies where a document for the workload cannot be read, and says which", async () => {
    const broken = document("AuthorizationPolicy", "broken", { action: "DENI" });
    const { code, out, err } = await run([broken], [request({})], "--json");
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ effect: "deny", policy: "foo/broken", rule: null, reason: "deny-matched" });
    expect(err).toContain("spec.action is not valid");
  });

  test("tells a person the same in words", async () => {
    const { out } = await run([audit, allowWeb], [request({}, { principal: web }), request({})]);
    expect(out).toBe(
      "line 1: allow by rule 1 of foo/web (allow-matched), marked by foo/watch\nline 2: deny (no-allow-matched), marked by foo/watch\n",
    );
  });

  test("goes on after a line that cannot be read, and exits 1", async () => {
    const { code, out, err } = await run([allowWeb], [request({}), "{", request({})], "--json");
    expect(code).toBe(1);
    expect(out.split("\n")).toHaveLength(3);
    expect(err).toBe("signet authz decide: line 2: the request cannot be used: it is not JSON\n");
  });

  test.each<[string, readonly string[], string]>([
    ["no policies", ["--request", "-", "--workload", "foo/a=b"], "--policies is missing"],
    ["no request", ["--policies", "x", "--workload", "foo/a=b"], "--request is missing"],
    ["no workload", ["--policies", "x", "--request", "-"], "--workload is missing"],
    ["a workload that is none", ["--workload", "Foo"], "--workload"],
    ["hops that are no number", ["--trusted-hops", "two"], "--trusted-hops"],
    ["keys without a file", ["--request", "-", "--policies", "/dev/null", "--workload", "a", "--jwks", "x"], "--jwks"],
  ])("refuses a command line with %s", async (_, args, problem) => {
    const command = (line: readonly string[], io: Parameters<typeof runAuthzDecide>[2]): Promise<number> =>
      runAuthzDecide(line, {}, io);
    const { code, out, err } = await fixture.run(command, args);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toContain(problem);
  });
});

import { writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  at,
  createJwtFixture,
  type JwtFixture,
  now,
  one,
  type Ran,
  requestWith,
  stranger,
  two,
} from "../testing/jwt-fixture.ts";
import { runJwtVerify } from "./verify.ts";

let fixture: JwtFixture;
beforeEach(() => {
  fixture = createJwtFixture();
});
afterEach(() => {
  fixture.remove();
});

const principal = "https://one.example/system:serviceaccount:demo:frontend";
const ruleOfTwo = { issuer: two.issuer };
const ruleOfOne = { issuer: one.issuer, jwksUri: "https://one.example/jwks" };

function verify(flags: readonly string[], stdin: string | readonly string[]): Promise<Ran> {
  return fixture.run(runJwtVerify, [...flags, "--request", "-"], stdin);
}

/** The results as JSON has them. */
async function resultsOf(
  flags: readonly string[],
  lines: readonly string[],
): Promise<readonly Record<string, unknown>[]> {
  const { code, out, err } = await verify(
    [...flags, "--json"],
    lines.map((line) => `${line}\n`),
  );
  expect(err).toBe("");
  expect(code).toBe(0);
  return out
    .trimEnd()
    .split("\n")
    .map((line): Record<string, unknown> => JSON.parse(line));
}

const nothing = {
  body: null,
  requestPrincipal: null,
  upstreamHeaders: null,
  removedHeaders: null,
  payload: null,
  code: null,
};

describe("a result as JSON", () => {
  test("has exactly these keys, null for what there is not", async () => {
    const flags = fixture.rules([
      { ...ruleOfOne, outputClaimToHeaders: [{ header: "X-User", claim: "name" }], outputPayloadToHeader: "x-payload" },
      ruleOfTwo,
    ]);
    const good = one.sign({ name: "Zoë", scope: "a b", aud: ["x"] });
    const [authenticated, anonymous, refused, spoofed] = await resultsOf(flags, [
      requestWith(good),
      requestWith(),
      requestWith(one.sign({ exp: at - 61 })),
      requestWith(undefined, { headers: { "x-user": "admin" } }),
    ]);
    const claims = {
      iss: one.issuer,
      sub: "system:serviceaccount:demo:frontend",
      aud: ["x"],
      iat: at,
      nbf: at,
      exp: at + 3600,
    };
    expect(authenticated).toEqual({
      ...nothing,
      status: 200,
      requestPrincipal: principal,
      upstreamHeaders: { "x-user": "Zoë", "x-payload": good.split(".")[1] },
      removedHeaders: ["authorization"],
      payload: { ...claims, name: "Zoë", scope: ["a", "b"] },
    });
    expect(anonymous).toEqual({ ...nothing, status: 200, upstreamHeaders: {}, removedHeaders: [] });
    expect(refused).toEqual({ ...nothing, status: 401, body: "Jwt is expired", code: "token-expired" });
    expect(spoofed).toEqual({ ...nothing, status: 200, upstreamHeaders: {}, removedHeaders: ["x-user"] });
    expect(Object.keys(refused ?? {})).toEqual([
      "status",
      "body",
      "requestPrincipal",
      "upstreamHeaders",
      "removedHeaders",
      "payload",
      "code",
    ]);
  });

  test("has a list for a header that is added twice, and the path where it changes", async () => {
    const header = {
      outputClaimToHeaders: [
        { header: "x-a", claim: "sub" },
        { header: "x-a", claim: "iss" },
      ],
    };
    const flags = fixture.rules([{ ...ruleOfOne, ...header }, ruleOfTwo]);
    const [result] = await resultsOf(flags, [
      requestWith(undefined, { path: `/p?a=1&access_token=${one.sign({ sub: "s" })}&b=2` }),
    ]);
    expect(result?.upstreamHeaders).toEqual({ "x-a": ["s", one.issuer], ":path": "/p?a=1&b=2" });
  });

  test.each([
    ["an audience of somebody else", one.sign({ aud: "y" }), 403, "audience-mismatch"],
    ["a key that is not the issuer's", stranger.sign({ aud: "x" }), 401, "key-not-found"],
    ["an issuer that no rule has", two.sign({ aud: "x" }), 401, "issuer-unknown"],
    ["a token that is none", "x", 401, "token-malformed"],
  ])("tells of %s", async (_, token, status, code) => {
    const flags = fixture
      .rules([{ ...ruleOfOne, audiences: ["x"] }])
      .filter((flag) => flag !== "--jwks" && !flag.startsWith("https://two"));
    const keys = flags.findIndex((flag) => flag.startsWith("https://one"));
    const [result] = await resultsOf(flags.toSpliced(keys, 0, "--jwks"), [requestWith(token)]);
    expect(result).toMatchObject({ status, code });
  });
});

describe("the flags", () => {
  const lines = (flags: readonly string[], token?: string): Promise<readonly Record<string, unknown>[]> =>
    resultsOf(flags, [requestWith(token)]);
  const both = [ruleOfOne, { issuer: two.issuer }];

  test("--workload leaves out what is not attached to it; without it every document counts", async () => {
    const flags = fixture.rules(both, { selector: "httpbin" });
    for (const [workload, status] of [
      ["foo/app=httpbin", 401],
      ["foo/app=httpbin,version=v1", 401],
    ] as const) {
      const [result] = await lines([...flags, "--workload", workload], "x");
      expect(result?.status, workload).toBe(status);
    }
    expect((await lines(flags, "x"))[0]?.status).toBe(401);
    for (const workload of ["foo/app=sleep", "bar/app=httpbin"]) {
      const { out } = await verify([...flags, "--workload", workload, "--json"], requestWith("x"));
      expect(JSON.parse(out), workload).toMatchObject({ status: 200, payload: null });
    }
  });

  test("--mesh-config says which namespace is the root", async () => {
    const mesh = fixture.put("mesh.yaml", "rootNamespace: foo\n");
    const flags = [...fixture.rules(both), "--workload", "bar/app=a"];
    expect((await lines([...flags, "--mesh-config", mesh], "x"))[0]?.status).toBe(401);
  });

  test("--namespace is that of documents that name none", async () => {
    const flags = fixture.rules(both);
    fixture.put(
      "rules.yaml",
      JSON.stringify({
        apiVersion: "security.istio.io/v1",
        kind: "RequestAuthentication",
        metadata: { name: "a" },
        spec: { jwtRules: both },
      }),
    );
    expect((await lines([...flags, "--namespace", "bar", "--workload", "bar"], "x"))[0]?.status).toBe(401);
  });

  test.each([
    ["--profile strict", ["--profile", "strict"], one.sign({ exp: undefined }), "expiry-missing"],
    ["--require", ["--require"], undefined, "token-missing"],
    ["--pass-opaque-tokens", ["--pass-opaque-tokens"], "opaque", null],
  ])("%s", async (_, more, token, code) => {
    const [plain] = await lines(fixture.rules(both), token);
    const [result] = await lines([...fixture.rules(both), ...more], token);
    expect(result?.code).toBe(code);
    expect(plain?.code).not.toBe(code);
  });

  test("--typed-claims and --bracketed-claims", async () => {
    const rule = { ...ruleOfOne, outputClaimToHeaders: [{ header: "x-lead", claim: "[a.b][lead]" }] };
    const token = one.sign({ "a.b": { lead: true } });
    const [result] = await lines(
      [...fixture.rules([rule, { issuer: two.issuer }]), "--typed-claims", "--bracketed-claims"],
      token,
    );
    expect(result).toMatchObject({ upstreamHeaders: { "x-lead": "true" }, payload: { "a.b": { lead: "true" } } });
  });

  test("--now judges at another instant", async () => {
    const flags = fixture.rules(both).map((flag) => (flag === now ? "2026-06-01T13:01:01Z" : flag));
    expect((await lines(flags, one.sign()))[0]?.code).toBe("token-expired");
  });

  test("--jwks stands for keys in another place too, and is told where it stands for none", async () => {
    const flags = fixture.rules([{ issuer: "https://three.example", jwksUri: two.issuer }, ruleOfOne]);
    const [result] = await lines(flags, two.sign({ iss: "https://three.example" }));
    expect(result?.status).toBe(200);
    const { err, code } = await verify(fixture.rules([ruleOfOne]), requestWith());
    expect(err).toBe('signet jwt verify: warning: --jwks: no rule has issuer or jwksUri "https://two.example"\n');
    expect(code).toBe(0);
  });
});

describe("the input", () => {
  const flags = (): readonly string[] => fixture.rules([ruleOfOne, { issuer: two.issuer }]);

  test("is one object over many lines, or one on each", async () => {
    const pretty = JSON.stringify(JSON.parse(requestWith(one.sign())), undefined, 2);
    for (const [input, count] of [
      [pretty, 1],
      [`\n${pretty}\n`, 1],
      [`${requestWith()}\n\n${requestWith()}`, 2],
    ] as const) {
      const { code, out } = await verify([...flags(), "--json"], input);
      expect(code).toBe(0);
      expect(out.trimEnd().split("\n")).toHaveLength(count);
    }
  });

  test("may come from a file and in pieces of any size", async () => {
    const file = fixture.put("requests.ndjson", Array.from({ length: 300 }, () => `${requestWith("é")}\r\n`).join(""));
    const fromFile = await fixture.run(runJwtVerify, [...flags(), "--json", "--request", file]);
    expect(fromFile.out.trimEnd().split("\n")).toHaveLength(300);
    expect(fromFile.code).toBe(0);
    const pieces = [...requestWith()].concat("\n", ...requestWith());
    const { out } = await verify([...flags(), "--json"], pieces);
    expect(out.trimEnd().split("\n")).toHaveLength(2);
  });

  test("may hold bad lines, which are told by number and never by content, and end with 1", async () => {
    const bad = ["not JSON: secret", '{"request": 7}', '{"request": {"http": {"headers": {"a": 1}}}}'];
    const { code, out, err } = await verify([...flags(), "--json"], [requestWith(), ...bad, requestWith()].join("\n"));
    expect(code).toBe(1);
    expect(out.trimEnd().split("\n")).toHaveLength(2);
    expect(err.trimEnd().split("\n")).toEqual([
      "signet jwt verify: line 2: the request cannot be used: it is not JSON",
      "signet jwt verify: line 3: request cannot be used: it is a number, and not an object",
      'signet jwt verify: line 4: request.http.headers["a"] cannot be used: it is a number, and not text',
    ]);
  });

  test("may begin with a bad line, and hold nothing good", async () => {
    const { code, out, err } = await verify([...flags(), "--json"], `{"request": \n${requestWith()}\n`);
    expect(code).toBe(1);
    expect(out.trimEnd().split("\n")).toHaveLength(1);
    expect(err).toContain("line 1: the request cannot be used: it is not JSON");
  });

  test("may hold a line without end", async () => {
    const { code, err } = await verify(
      [...flags(), "--json"],
      [requestWith(), "\n", ...Array.from({ length: 5 }, () => "x".repeat(1_048_576)), "\n", requestWith()],
    );
    expect(code).toBe(1);
    expect(err).toContain("line 2: the request cannot be used: it has more than 4194304 characters");
  });
});

describe("without --json", () => {
  test("a person is told", async () => {
    const flags = fixture.rules([
      { ...ruleOfOne, outputClaimToHeaders: [{ header: "x-user", claim: "sub" }] },
      { issuer: two.issuer },
    ]);
    const lines = [
      one.sign({ sub: "alice\u009b2J" }),
      undefined,
      one.sign({ exp: at - 61 }),
      one.sign({ sub: undefined }),
    ];
    const { out } = await verify(flags, lines.map((token) => requestWith(token)).join("\n"));
    expect(out.split("\n")).toEqual([
      "line 1: let through, as https://one.example/alice\\u009b2J",
      "  removes authorization",
      "  adds x-user: alice\\u009b2J",
      "line 2: let through, anonymous",
      'line 3: refused with 401 "Jwt is expired" (token-expired)',
      "line 4: let through, with a token that names nobody",
      "  removes authorization",
      "",
    ]);
  });
});

describe("documents", () => {
  test("that cannot be used are told with their place, and have every token refused", async () => {
    const flags = fixture.rules([ruleOfOne], { field: "jwtRule" });
    const { code, out, err } = await verify([...flags, "--json"], requestWith(one.sign()));
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ status: 401, code: "keys-invalid" });
    expect(err).toMatch(/^signet jwt verify: .*rules\.yaml:1:\d+: spec\.jwtRule is not valid: unknown field/);
    expect(err).toContain("every token is refused");
  });
});

describe("what cannot be used ends with 2", () => {
  test.each([
    ["no rules", ["--request", "-"], "--rules is missing"],
    ["no request", ["--rules", "x"], "--request is missing"],
    ["an unknown flag", ["--rule", "x"], "--rule"],
    ["a workload that is none", ["--workload", "Foo"], "a workload such as foo/app=httpbin is wanted"],
    ["a profile there is not", ["--profile", "lax"], '"istio", "strict"'],
    ["an instant that is none", ["--now", "yesterday"], "an instant is written as"],
    ["keys without an issuer", ["--rules", "x", "--request", "-", "--jwks", "keys.json"], "is not <issuer>=<file>"],
    [
      "rules that are not there",
      ["--rules", "/nowhere", "--request", "-"],
      "/nowhere cannot be read: there is nothing of that name",
    ],
  ])("%s", async (_, args, message) => {
    const { code, out, err } = await fixture.run(runJwtVerify, args);
    expect(code).toBe(2);
    expect(out).toBe("");
    expect(err).toMatch(/^signet jwt verify: /);
    expect(err).toContain(message);
  });

  test("files that cannot be read", async () => {
    const flags = fixture.rules([ruleOfOne]);
    for (const more of [
      ["--request", "/nowhere"],
      ["--request", "-", "--mesh-config", "/nowhere"],
      ["--request", "-", "--jwks", "a=/nowhere"],
    ]) {
      expect(await fixture.run(runJwtVerify, [...flags, ...more]), more.join(" ")).toMatchObject({ code: 2, out: "" });
    }
    const mesh = fixture.put("mesh.yaml", "rootNamespace: [1]\ntrustDomain: 7\n");
    const { code, err } = await fixture.run(runJwtVerify, [...flags, "--request", "-", "--mesh-config", mesh]);
    expect(code).toBe(2);
    expect(err.trimEnd().split("\n")).toHaveLength(2);
    writeFileSync(mesh, "");
  });
});

test("--help lists the flags and opens nothing", async () => {
  const { code, out } = await fixture.run(runJwtVerify, ["--help"]);
  expect(code).toBe(0);
  for (const flag of ["--rules", "--request", "--workload", "--profile", "--jwks", "--now", "--mesh-config", "--json"])
    expect(out).toContain(flag);
});

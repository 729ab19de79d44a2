import { utimesSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { at, createJwtFixture, type JwtFixture, now, one, type Ran, stranger, two } from "../testing/jwt-fixture.ts";
import { runJwtExplain } from "./explain.ts";

let fixture: JwtFixture;
beforeEach(() => {
  fixture = createJwtFixture();
});
afterEach(() => {
  fixture.remove();
});

const rules = [
  { issuer: one.issuer, audiences: ["istio-ca", "shop"], fromHeaders: [{ name: "x-token" }] },
  { issuer: two.issuer, jwks: two.jwks },
];

function explain(token: string, more: readonly string[] = [], written: readonly object[] = rules): Promise<Ran> {
  const flags = fixture.rules(written);
  for (const name of ["k1.json", "t1.json"]) utimesSync(join(fixture.directory, name), at - 240, at - 240);
  return fixture.run(runJwtExplain, [fixture.put("token", token), ...flags, ...more]);
}

const forged = ((): string => {
  const [header, payload] = one.sign().split(".");
  return `${header}.${payload}.${"A".repeat(86)}`;
})();

describe("a token is explained in sentences", () => {
  test.each([
    [
      "good",
      one.sign({ sub: "alice" }),
      0,
      [
        "foo/jwt, rule 0",
        "accepts it",
        "written 4 minutes ago: requests are from https://one.example/alice",
        "A request with this token is let through as https://one.example/alice.",
      ],
    ],
    [
      "without subject",
      one.sign({ sub: undefined }),
      0,
      ["names nobody: it lacks iss or sub", "let through, and is nobody's in particular."],
    ],
    [
      "expired",
      one.sign({ exp: at - 180 }),
      1,
      ["token-expired: it expired 3 minutes ago (2026-06-01T11:57:00Z)", 'refused with 401 "Jwt is expired".'],
    ],
    [
      "from the future",
      one.sign({ nbf: at + 300 }),
      1,
      ["it is not valid before in 5 minutes (2026-06-01T12:05:00Z)", "compare the clocks"],
    ],
    [
      "for somebody else",
      one.sign({ aud: ["mail", "chat"] }),
      1,
      ['it is for "mail", "chat", and the rule wants "istio-ca" or "shop"', "refused with 403"],
    ],
    [
      "of an issuer that is nearly known",
      one.sign({ iss: "https://one.example/" }),
      1,
      [
        'the rule is for issuer "https://one.example", and the token is of "https://one.example/"',
        'No rule has issuer "https://one.example/": nearest is "https://one.example"; they differ in a slash at the end, which counts.',
      ],
    ],
    [
      "of an issuer that nobody knows",
      one.sign({ iss: "urn:elsewhere" }),
      1,
      ['No rule has issuer "urn:elsewhere": rules are of "https://one.example", "https://two.example".'],
    ],
    [
      "by a key that is gone",
      stranger.sign(),
      1,
      ['key id "k2" with algorithm "ES256" is not in the JWKS of', 'k1.json, written 4 minutes ago, which has "k1"'],
    ],
    [
      "by a key that is not in the rule",
      stranger.sign({ iss: two.issuer }),
      1,
      ['key id "k2" with algorithm "ES256" is not in the JWKS in the rule, which has "t1"'],
    ],
    [
      "that was forged",
      forged,
      1,
      ['its signature is not by key "k1" of the JWKS of', "the token was altered, or signed by somebody else"],
    ],
    ["that is none", "hello", 1, ["it cannot be read", "Jwt is not in the form of Header.Payload.Signature"]],
  ] as const)("%s", async (_, token, code, parts) => {
    const ran = await explain(token);
    expect(ran.err).toBe("");
    for (const part of parts) expect(ran.out).toContain(part);
    expect(ran.code).toBe(code);
  });

  test("every rule says what it makes of it", async () => {
    const { out } = await explain(two.sign({ iss: two.issuer, sub: "bob" }));
    expect(out).toMatch(
      /rule 0 \(.*rules\.yaml:1\): refuses it\n {6}issuer-unknown: the rule is for issuer "https:\/\/one\.example"/,
    );
    expect(out).toMatch(/rule 1 \(.*rules\.yaml:1\): accepts it\n {6}the token is good by the JWKS in the rule/);
  });

  test("in profile strict as strictly as requests are judged", async () => {
    expect((await explain(one.sign({ exp: undefined }))).code).toBe(0);
    const { code, out } = await explain(one.sign({ exp: undefined }), ["--profile", "strict"]);
    expect(code).toBe(1);
    expect(out).toContain('expiry-missing: the token cannot be used, "Jwt payload [exp] field is required"');
  });

  test("that no rule is there for", async () => {
    const { code, out } = await explain(one.sign(), ["--workload", "bar"]);
    expect(code).toBe(1);
    expect(out).toContain(
      "No rule applies.\nA request with this token is let through as anonymous: no rule looks at it.",
    );
  });
});

describe("what is printed", () => {
  test("never holds the signature, nor what a terminal would obey", async () => {
    const token = one.sign({ note: "\u001b[2J\u009b2J\u202eevil" });
    const [, , signature = "?"] = token.split(".");
    for (const more of [[], ["--json"]]) {
      const { out, err } = await explain(token, more);
      expect(out + err).not.toContain(signature);
      for (const character of ["\u001b", "\u009b", "\u202e"]) expect(out).not.toContain(character);
    }
  });

  test("is one object with --json", async () => {
    const { out } = await explain(one.sign({ exp: at - 180 }), ["--json"]);
    expect(JSON.parse(out)).toMatchObject({
      accepted: false,
      judgedAt: "2026-06-01T12:00:00.000Z",
      token: { header: { alg: "ES256", kid: "k1" }, claims: { iss: one.issuer, exp: at - 180 } },
      rules: [
        {
          document: "foo/jwt",
          rule: 0,
          issuer: one.issuer,
          verdict: "refuses",
          code: "token-expired",
          position: { line: 1 },
        },
        { document: "foo/jwt", rule: 1, issuer: two.issuer, verdict: "refuses", code: "issuer-unknown" },
      ],
      result: { status: 401, body: "Jwt is expired", requestPrincipal: null, code: "token-expired" },
      remarks: [],
    });
  });
});

describe("the command line", () => {
  test("takes the token from standard input, also with what stands before it in a header", async () => {
    for (const stdin of [one.sign(), `Authorization: Bearer ${one.sign()}\n`]) {
      expect(await fixture.run(runJwtExplain, [...fixture.rules(rules), "-"], stdin)).toMatchObject({ code: 0 });
    }
  });

  test("keeps to one verdict where a document is broken", async () => {
    const flags = fixture.rules(rules, { field: "jwtRule" });
    const { code, out, err } = await fixture.run(runJwtExplain, [...flags, "-"], one.sign());
    expect(code).toBe(1);
    expect(err).toContain("spec.jwtRule is not valid: unknown field");
    expect(out).toContain("refused with 401");
  });

  test.each([
    ["no token", ["--rules", "x"], "the file that holds the token is missing"],
    ["two tokens", ["a", "b", "--rules", "x"], "more than one file"],
    ["no rules", ["a"], "--rules is missing"],
    ["an empty token", ["-", "--rules", "/dev/null", "--now", now], "holds no token"],
    ["an unknown flag", ["a", "--rule=x"], "--rule"],
  ])("that has %s ends with 2", async (_, args, message) => {
    const ran = await fixture.run(
      runJwtExplain,
      args.map((arg) => (arg === "/dev/null" ? fixture.put("empty.yaml", "") : arg)),
    );
    expect(ran.code).toBe(2);
    expect(ran.err).toContain(message);
  });

  test("--help says how", async () => {
    const { code, out } = await fixture.run(runJwtExplain, ["--help"]);
    expect(code).toBe(0);
    expect(out).toMatch(/^Usage: signet jwt explain <file> \[flags\]/);
  });
});

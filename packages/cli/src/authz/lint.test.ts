import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createJwtFixture, type JwtFixture, type Ran } from "../testing/jwt-fixture.ts";
import { runAuthzLint } from "./lint.ts";

let fixture: JwtFixture;
beforeEach(() => {
  fixture = createJwtFixture();
});
afterEach(() => {
  fixture.remove();
});

const head = "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: a, namespace: foo}\n";
const denyGet = `${head}spec: {action: DENY, rules: [{to: [{operation: {methods: [GET]}}]}]}\n`;
const allow = `${head.replace("name: a", "name: b")}spec: {rules: [{from: [{source: {ipBlocks: [10.0.0.1/8]}}]}]}\n`;

const run = (...args: readonly string[]): Promise<Ran> => fixture.run(runAuthzLint, args);
const policies = (text: string): readonly string[] => ["--policies", fixture.put("p.yaml", text)];

describe("signet authz lint", () => {
  test("tells a person what is wrong, where, why, and what to do", async () => {
    const { code, out, err } = await run(...policies(`${denyGet}---\n${allow}`));
    expect(err).toBe("");
    expect(code).toBe(1);
    const lines = out.replaceAll(fixture.directory, "DIR").split("\n");
    expect(lines).toEqual([
      "DIR/p.yaml:4:30: error: AuthorizationPolicy foo/a spec.rules[0] [http-fields-on-tcp]",
      "    on a TCP port conditions about HTTP (operation.method) are left out, so that this rule denies every connection there",
      "    fix: name the HTTP ports with ports in every operation, or with a condition on destination.port",
      "DIR/p.yaml:9:33: note: AuthorizationPolicy foo/b spec.rules[0].from[0].source.ipBlocks[0] [cidr-host-bits]",
      expect.stringContaining('of "10.0.0.1/8" only the first 8 bits count'),
      expect.stringContaining("    fix: "),
      "2 documents in 1 file: 1 error, 0 warnings, 1 note",
      "",
    ]);
  });

  test.each<[string, readonly string[], number]>([
    ["errors fail", [], 1],
    ["errors may be let pass", ["--fail-on", "never"], 0],
    ["what is not wanted is not told", ["--disable", "http-fields-on-tcp"], 0],
    ["notes may fail", ["--disable", "http-fields-on-tcp", "--fail-on", "note"], 1],
    ["notes are milder than warnings", ["--disable", "http-fields-on-tcp", "--fail-on", "warning"], 0],
  ])("exit code: %s", async (_, flags, code) => {
    expect(await run(...policies(`${denyGet}---\n${allow}`), ...flags)).toMatchObject({ code, err: "" });
  });

  test("tells a program the same as JSON", async () => {
    const { out } = await run(...policies(`${denyGet}---\n${allow}---\n${head}spec: {rule: 1}\n`), "--json");
    const { findings, summary } = JSON.parse(out);
    expect(summary).toEqual({ error: 2, warning: 0, note: 1, documents: 2, refused: 1, files: 1 });
    expect(findings[0]).toEqual({
      id: "http-fields-on-tcp",
      severity: "error",
      document: { kind: "AuthorizationPolicy", namespace: "foo", name: "a" },
      path: "spec.rules[0]",
      position: { file: `${fixture.directory}/p.yaml`, line: 4, column: 30 },
      reason: expect.any(String),
      fix: expect.any(String),
    });
    expect(findings.at(-1)).toMatchObject({ id: "document-refused", path: "spec.rule" });
  });

  test("writes SARIF whose results point to rules that it lists", async () => {
    const { code, out } = await run(...policies(denyGet), "--format", "sarif");
    expect(code).toBe(1);
    const { version, runs } = JSON.parse(out);
    expect(version).toBe("2.1.0");
    const [{ tool, results }] = runs;
    const [result] = results.filter((one: { ruleId: string }) => one.ruleId === "http-fields-on-tcp");
    expect(tool.driver.rules[result.ruleIndex].id).toBe(result.ruleId);
    expect(result).toMatchObject({
      level: "error",
      locations: [
        {
          physicalLocation: {
            artifactLocation: { uri: `file://${fixture.directory}/p.yaml` },
            region: { startLine: 4, startColumn: 30 },
          },
          logicalLocations: [{ fullyQualifiedName: "AuthorizationPolicy/foo/a#spec.rules[0]" }],
        },
      ],
    });
  });

  test("knows the mesh config", async () => {
    const custom = `${head}spec: {action: CUSTOM, provider: {name: ext}, rules: [{}]}\n---\n${allow}`;
    expect((await run(...policies(custom))).out).not.toContain("provider-unknown");
    const mesh = fixture.put("mesh.yaml", "trustDomain: prod.example\n");
    expect((await run(...policies(custom), "--mesh-config", mesh)).out).toContain("provider-unknown");
  });

  test.each<[string, readonly string[], string]>([
    ["no path", [], "--policies is missing"],
    ["a path to nothing", ["--policies", "/nonexistent"], "there is nothing of that name"],
    ["an unknown id", ["--policies", "/dev/null", "--disable", "nonsense"], '"nonsense" is the id of no finding'],
    ["an unknown flag", ["--policy", "x"], "--policy"],
    ["an unknown format", ["--format", "xml"], "--format"],
  ])("refuses a command line with %s", async (_, args, problem) => {
    const { code, out, err } = await run(...args);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toContain(problem);
  });

  test("refuses a file without documents, as a path with a typo would look", async () => {
    const { code, err } = await run(...policies("apiVersion: v1\nkind: Service\n"));
    expect(code).toBe(2);
    expect(err).toContain("there is no document of security.istio.io in ");
  });

  test("helps", async () => {
    expect(await run("--help")).toMatchObject({ code: 0, out: expect.stringContaining("--fail-on") });
  });
});

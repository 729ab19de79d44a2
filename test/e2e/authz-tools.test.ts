import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { lintCatalog, lintIds } from "@signet/policy";
import { describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const env = { PATH: [join(root, "node_modules/.bin"), process.env.PATH].join(delimiter), HOME: process.env.HOME };
const page = readFileSync(join(root, "docs/authorization.md"), "utf8");

type Ran = { readonly code: number; readonly stdout: string; readonly stderr: string };

/** Runs a command line in the checkout, with `stdin` piped into it. */
async function shell(commandLine: string, stdin = ""): Promise<Ran> {
  const running = promisify(execFile)("sh", ["-c", commandLine], { cwd: root, env });
  running.child.stdin?.end(stdin);
  return await running.then(
    (output) => ({ code: 0, ...output }),
    ({ code, stdout, stderr }: Ran) => ({ code, stdout, stderr }),
  );
}

describe("docs/authorization.md", () => {
  const blocks = [...page.matchAll(/^```sh\nnpx (signet authz (\w+).*?)\n```\n\n```console\n(.*?)^```$/gms)];

  test("shows every command", () => {
    const shown = new Set(blocks.map(([, , name]) => name));
    expect(shown).toEqual(new Set(["decide", "explain", "test", "lint"]));
    expect(blocks).toHaveLength([...page.matchAll(/^```sh$/gm)].length);
  });

  const exitCodes: Readonly<Record<string, number>> = { decide: 0, explain: 1, test: 0, lint: 1 };
  test.each(blocks.map(([, line = "", name = "", output = ""]) => ({ line, name, output })))(
    "shows what $line prints",
    async ({ line, name, output }) => {
      expect(await shell(line)).toEqual({ code: exitCodes[name], stdout: output, stderr: "" });
    },
  );

  test("shows a request and cases that are those of the examples", () => {
    const [, request = ""] = /^```json\n(.*?)^```$/ms.exec(page) ?? [];
    const [first = ""] = readFileSync(join(root, "deploy/examples/authz/shop/requests.ndjson"), "utf8").split("\n");
    expect(JSON.parse(request)).toEqual(JSON.parse(first));
    expect(page).toContain(readFileSync(join(root, "deploy/examples/authz/shop/cases.yaml"), "utf8"));
  });

  test("lists every finding with its severity", () => {
    const rows = lintIds.map((id) => `| \`${id}\` | ${lintCatalog[id].severity} | ${lintCatalog[id].summary} |`);
    expect(page.split("\n").filter((row) => /^\| `[a-z-]+` \| (error|warning|note) \|/.test(row))).toEqual(rows);
  });
});

describe("signet authz as a process", () => {
  const policies = "deploy/examples/authz/shop";

  test("decides what comes in by a pipe, and goes on after a line that cannot be read", async () => {
    const requests = readFileSync(join(root, policies, "requests.ndjson"), "utf8");
    const line = `signet authz decide --policies ${policies} --workload shop/app=cart --request - --json`;
    const { code, stdout, stderr } = await shell(line, `${requests}{\n${requests}`);
    expect(code).toBe(1);
    expect(stderr).toBe("signet authz decide: line 5: the request cannot be used: it is not JSON\n");
    expect(stdout.trimEnd().split("\n")).toHaveLength(8);
  });

  test("prints whole reports into a pipe before it exits", async () => {
    const { code, stdout } = await shell(
      "signet authz lint --policies deploy/examples/authz/careless.yaml --format sarif",
    );
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ version: "2.1.0", runs: [{ results: expect.any(Array) }] });
  });

  test.each(["decide", "explain", "test", "lint"])("%s says how it is used", async (name) => {
    const { code, stdout } = await shell(`signet authz ${name} --help`);
    expect(code).toBe(0);
    expect(stdout).toContain("--policies");
  });
});

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { toYaml } from "@signet/cli/testing";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { spawnSignet } from "./support/signet-process.ts";

const page = await readFile(fileURLToPath(new URL("../../docs/envoy-config.md", import.meta.url)), "utf8");
const blocks = [...page.matchAll(/```(\w+)\n(.*?)```/gs)].map(([, language = "", text = ""]) => ({ language, text }));
const [policies, commandLine, printed] = blocks.map(({ text }) => text);

let directory = "";
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "envoy-config-"));
  await writeFile(join(directory, "policies.yaml"), policies ?? "");
});
afterAll(async () => await rm(directory, { recursive: true, force: true }));

type Run = { readonly code: unknown; readonly stdout: string; readonly stderr: string };

async function run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Run> {
  const signet = spawnSignet(args, env, directory);
  return { code: await signet.exit, ...signet.output };
}

describe("signet envoy-config", () => {
  test("prints what docs/envoy-config.md says, with the command that it says", async () => {
    const [program, ...args] = (commandLine ?? "").trim().split(" ");
    expect(program).toBe("signet");
    expect(await run(args)).toEqual({ code: 0, stdout: printed, stderr: "" });
  });

  test("prints the same list as JSON, and standard output is the list alone", async () => {
    const args = ["envoy-config", "--policies", "policies.yaml", "--workload", "foo/app=httpbin", "--filter-chains"];
    const [yaml, json] = await Promise.all([run(args), run([...args, "-o", "json"])]);
    expect(JSON.parse(json.stdout)).toEqual(parse(yaml.stdout));
    expect(parse(yaml.stdout)).toHaveLength(6);
  });

  test("ends with 1 and prints nothing where a document for the workload cannot be used", async () => {
    const broken = (policies ?? "").replace("methods:", "method:");
    await writeFile(join(directory, "broken.yaml"), broken);
    const { code, stdout, stderr } = await run([
      "envoy-config",
      "--policies",
      "broken.yaml",
      "--workload",
      "foo/app=httpbin",
    ]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain("broken.yaml:8:");
    expect(stderr).toContain("would let through too much");
  });
});

test("the YAML that is printed is the value that was given, whatever text is in it", () => {
  const text = fc.oneof(
    fc.string({ unit: "grapheme-composite", maxLength: 12 }),
    fc.constantFrom(
      "yes",
      "No",
      "null",
      "~",
      "1e3",
      "0x1",
      "2026-01-01",
      "a: b",
      "- a",
      "#",
      "'",
      '"',
      "@type",
      "",
      " ",
      "a\nb",
      "\t",
      "=",
      "<<",
    ),
  );
  const { list } = fc.letrec<{ value: unknown; list: unknown[]; map: object }>((tie) => ({
    value: fc.oneof({ maxDepth: 4 }, text, fc.integer(), fc.boolean(), tie("list"), tie("map")),
    list: fc.array(tie("value"), { maxLength: 4 }),
    map: fc.dictionary(text, tie("value"), { maxKeys: 4 }).map((map) => ({ ...map })),
  }));
  fc.assert(
    fc.property(list, (value) => {
      const plain: Parameters<typeof toYaml>[0] = JSON.parse(JSON.stringify(value));
      expect(parse(toYaml(plain))).toEqual(plain);
      expect(parse(toYaml(plain), { version: "1.1", merge: false })).toEqual(plain);
    }),
    { seed: 1, numRuns: 300 },
  );
});

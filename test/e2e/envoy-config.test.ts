import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { toYaml } from "@signet/cli/testing";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { findTestEnvoy } from "./support/envoy.ts";
import { spawnSignet } from "./support/signet-process.ts";

const page = await readFile(fileURLToPath(new URL("../../docs/envoy-config.md", import.meta.url)), "utf8");
const blocks = [...page.matchAll(/```(\w+)\n(.*?)```/gs)].map(([, language = "", text = ""]) => ({ language, text }));
const [policies, commandLine, printed] = blocks.map(({ text }) => text);

const envoy = await findTestEnvoy();

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

/** Documents with text that YAML would rather read otherwise. */
const odd = `${policies}---
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {name: jwt, namespace: foo}
spec: {jwtRules: [{issuer: "yes", audiences: ["1e3", "a: b # c", "\u00e9 \\U0001F600", "\\n\\t", "~"]}]}
`;

const chain = (filters: string): string => `static_resources:
  listeners:
  - name: a
    address: {socket_address: {address: 127.0.0.1, port_value: 0}}
    filter_chains:
    - filters:
      - name: hcm
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: a
          route_config: {virtual_hosts: [{name: a, domains: ["*"], routes: [{match: {prefix: /}, direct_response: {status: 200}}]}]}
          http_filters:
${filters.replace(/^(?=.)/gm, "          ")}          - name: router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
`;

test.skipIf(envoy.path === "")(`what is printed stands in a bootstrap as it is${envoy.skipped}`, async () => {
  await writeFile(join(directory, "odd.yaml"), odd);
  const { stdout } = await run(["envoy-config", "--policies", "odd.yaml", "--workload", "foo/app=httpbin"]);
  expect(parse(stdout)[0].typedConfig.providers["origins-0"].audiences).toHaveLength(5);
  await writeFile(join(directory, "envoy.yaml"), chain(stdout));
  const config = ["--mode", "validate", "--log-level", "error", "--config-path", join(directory, "envoy.yaml")];
  await expect(promisify(execFile)(envoy.path, config)).resolves.toBeDefined();
  await writeFile(join(directory, "envoy.yaml"), chain(stdout.replace("requiresAny", "requiresNone")));
  await expect(promisify(execFile)(envoy.path, config)).rejects.toThrow("requiresNone");
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

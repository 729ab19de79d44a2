import { describe, expect, test } from "vitest";
import { checkLayers } from "./check-layers.ts";
import { layers } from "./layers.ts";
import type { Workspace } from "./workspace.ts";

describe("the import table", () => {
  test("points down only", () => {
    const upward = Object.entries(layers).flatMap(([name, rule]) =>
      rule.packages
        .filter((target) => (layers[target]?.layer ?? 9) >= rule.layer)
        .map((target) => `${name} -> ${target}`),
    );
    expect(upward).toEqual([]);
  });

  test("gives each library to one package, but for the runtime of protobuf and the reader of YAML", () => {
    const libraries = Object.values(layers).flatMap((rule) => rule.libraries);
    const shared = libraries.filter((library, index) => libraries.indexOf(library) !== index);
    expect(new Set(shared)).toEqual(new Set(["@bufbuild/protobuf", "yaml"]));
  });
});

describe("check-layers refuses", () => {
  const cases: readonly (readonly [what: string, path: string, source: string, sentence: string])[] = [
    [
      "a package the table does not allow",
      "policy/src/x.ts",
      `import "@signet/runtime";`,
      "policy may not import runtime",
    ],
    [
      "a type of it",
      "policy/src/x.ts",
      `import type { Clock } from "@signet/runtime";`,
      "policy may not import runtime",
    ],
    [
      "an inline type of it",
      "policy/src/x.ts",
      `type C = import("@signet/runtime").Clock;`,
      "policy may not import runtime",
    ],
    ["a re-export of it", "policy/src/x.ts", `export { a } from "@signet/runtime";`, "policy may not import runtime"],
    ["a dynamic import of it", "policy/src/x.ts", `await import("@signet/runtime");`, "policy may not import runtime"],
    ["a process by a process", "agent/src/x.ts", `import "@signet/ca-server";`, "agent may not import ca-server"],
    [
      "the table's breach by a test",
      "policy/src/x.test.ts",
      `import "@signet/runtime";`,
      "policy may not import runtime",
    ],
    ["a package nobody planned", "policy/src/x.ts", `import "@signet/utils";`, "utils is not in the import table"],
    ["someone else's library", "ca/src/x.ts", `import { importJWK } from "jose";`, "ca may not import jose"],
    ["an unknown library", "ca/src/x.ts", `import "left-pad/deep";`, "ca may not import left-pad"],
    ["a test library outside tests", "ca/src/x.ts", `import "vitest";`, "ca may not import vitest"],
    [
      "a library in the wrong file",
      "x509/src/csr.ts",
      `import "@peculiar/x509";`,
      "only src/peculiar.ts of x509 may import @peculiar/x509",
    ],
    [
      "a fake outside tests",
      "ca/src/x.ts",
      `import "@signet/x509/testing";`,
      "@signet/x509/testing is for *.test.ts, testing.ts and /test only",
    ],
    [
      "a fake from above",
      "x509/src/x.test.ts",
      `import "@signet/ca/testing";`,
      "x509 may not import ca/testing, which is above it",
    ],
    [
      "a deep import",
      "ca/src/x.ts",
      `import "@signet/x509/src/csr.ts";`,
      "@signet/x509/src/csr.ts is a deep import; only @signet/x509 and its testing are entry points",
    ],
    [
      "a relative path across packages",
      "ca/src/x.ts",
      `import "../../x509/src/csr.ts";`,
      "ca may not reach packages/x509/src/csr.ts by a relative path",
    ],
    ["its own name", "ca/src/x.ts", `import "@signet/ca";`, "ca may not import itself by name"],
    [
      "a builtin without its prefix",
      "ca/src/x.ts",
      `import { readFile } from "fs/promises";`,
      "write node:fs/promises instead of fs/promises",
    ],
    [
      "an import() that hides its module",
      "ca/src/x.ts",
      `await import(process.argv[2]);`,
      "an import() must name its module with a literal",
    ],
    [
      "a relative path from test",
      "/test/e2e/x.ts",
      `import "../../packages/ca/src/x.ts";`,
      "packages/ca/src/x.ts is inside a package; import the package by its name",
    ],
    [
      "a deep import from test",
      "/test/e2e/x.ts",
      `import "@signet/ca/src/x.ts";`,
      "@signet/ca/src/x.ts is a deep import; only @signet/ca and its testing are entry points",
    ],
    ["a bare builtin from tools", "/tools/x.ts", `import "path";`, "write node:path instead of path"],
  ];

  test.each(cases)("%s", (_what, path, source, sentence) => {
    const problems = checkLayers(workspaceOf(path, `\n${source}\n`));
    const where = path.startsWith("/") ? path.slice(1) : `packages/${path}`;
    expect(problems).toContain(`${where}:2: ${sentence}`);
  });

  test("a dependency that package.json does not list, and one it lists for nothing", () => {
    const problems = checkLayers(workspaceOf("ca/src/x.ts", `import "@signet/x509";`, { "@signet/spiffe": "0.1.0" }));
    expect(problems).toEqual([
      "ca imports @signet/x509 and its package.json does not list it",
      "ca lists @signet/spiffe in its package.json and never imports it",
    ]);
  });

  test("a package that is not in the table", () => {
    expect(checkLayers(workspaceOf("stray/src/x.ts", ""))).toEqual(["stray is not in the import table"]);
  });
});

describe("check-layers allows", () => {
  const cases: readonly (readonly [what: string, path: string, source: string])[] = [
    ["what the table allows", "ca/src/x.ts", `import { parseCsr } from "@signet/x509";`],
    ["generated protobuf types by subpath", "agent/src/x.ts", `import "@signet/protos/istio/security/v1alpha1/ca";`],
    ["a neighbour's fake in a test", "grpc/src/x.test.ts", `import "@signet/x509/testing"; import "vitest";`],
    ["a suite that several tests run", "ca/src/testing/x-suite.ts", `import { test } from "vitest";`],
    ["a fake in a fake", "ca/src/testing.ts", `import "@signet/x509/testing";`],
    ["a file of the same package", "ca/src/signing/x.ts", `import "../../package.json"; import "node:fs";`],
    [
      "anything exported, in test/",
      "/test/e2e/x.ts",
      `import "@signet/ca"; import "@signet/ca/testing"; import "yaml";`,
    ],
    ["text that only looks like an import", "ca/src/x.ts", "const text = `\nimport 'jose';\n`; // import 'jose'"],
  ];

  test.each(cases)("%s", (_what, path, source) => {
    const listed = { "@signet/x509": "0.1.0", "@signet/protos": "0.1.0" };
    const problems = checkLayers(workspaceOf(path, source, listed));
    expect(problems.filter((problem) => !problem.includes("never imports it"))).toEqual([]);
  });
});

function workspaceOf(path: string, text: string, dependencies: Readonly<Record<string, string>> = {}): Workspace {
  if (path.startsWith("/")) {
    return { packages: [], outside: [{ path: path.slice(1), text }] };
  }
  const name = path.slice(0, path.indexOf("/"));
  const manifest = { name: `@signet/${name}`, dependencies, devDependencies: {} };
  return { packages: [{ name, manifest, files: [{ path: `packages/${path}`, text }] }], outside: [] };
}

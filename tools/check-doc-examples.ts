import { spawnSync } from "node:child_process";
import { globSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type DocExample, docstringExamples, exportedValues, markdownExamples } from "./doc-examples.ts";
import { readRepositoryFile, readWorkspace, reportCheck, repositoryRoot, type WorkspacePackage } from "./workspace.ts";

// Inside the workspace, so that `@signet/x` resolves; below node_modules, so that git and the other tools pass it by.
const scratch = join(repositoryRoot, "node_modules/.cache/doc-examples");

/** Every export without an example, every package without a README example, and every example that does not compile. */
export function checkDocExamples(): { readonly count: number; readonly problems: readonly string[] } {
  const { packages } = readWorkspace();
  const examples = [...packages.flatMap(packageExamples), ...documentExamples()];
  return {
    count: examples.length,
    problems: [
      ...packages.flatMap(undocumentedExports),
      ...packages.flatMap(readmeProblems),
      ...compileProblems(examples),
    ],
  };
}

function packageExamples(owner: WorkspacePackage): readonly DocExample[] {
  return owner.files.filter((file) => !file.path.includes("/src/gen/")).flatMap(docstringExamples);
}

function documentExamples(): readonly DocExample[] {
  const patterns = ["*.md", "docs/**/*.md", "deploy/**/*.md", "protos/*.md", "test/**/*.md", "packages/*/README.md"];
  return globSync(patterns, { cwd: repositoryRoot, exclude: (name) => name === "node_modules" })
    .sort()
    .flatMap((path) => markdownExamples({ path, text: readRepositoryFile(path) ?? "" }));
}

function undocumentedExports(owner: WorkspacePackage): readonly string[] {
  const index = owner.files.find((file) => file.path === `packages/${owner.name}/src/index.ts`);
  if (index === undefined) {
    return [];
  }
  return exportedValues(index, (path) => owner.files.find((file) => file.path === path)?.text)
    .filter((value) => !value.docstring?.includes("@example"))
    .map((value) => `${value.path}: ${value.name} is exported and its docstring has no @example`);
}

function readmeProblems(owner: WorkspacePackage): readonly string[] {
  const path = `packages/${owner.name}/README.md`;
  const text = readRepositoryFile(path);
  if (text === undefined) {
    return [`${path} is missing`];
  }
  return markdownExamples({ path, text }).length > 0 ? [] : [`${path} has no example marked \`ts\``];
}

function compileProblems(examples: readonly DocExample[]): readonly string[] {
  rmSync(scratch, { recursive: true, force: true });
  mkdirSync(scratch, { recursive: true });
  const files = examples.map((example) => ({ name: scratchName(example), example }));
  for (const { name, example } of files) {
    writeFileSync(join(scratch, name), example.code);
  }
  writeFileSync(
    join(scratch, "tsconfig.json"),
    JSON.stringify({
      extends: join(repositoryRoot, "tsconfig.base.json"),
      // An example shows what a call returns without using it; and what it exports is nobody's interface.
      compilerOptions: {
        noUnusedLocals: false,
        noUnusedParameters: false,
        isolatedDeclarations: false,
        declaration: false,
        typeRoots: [join(repositoryRoot, "node_modules/@types")],
      },
      files: files.map(({ name }) => name),
    }),
  );
  const tsc = spawnSync(
    join(repositoryRoot, "node_modules/.bin/tsc"),
    ["--noEmit", "--pretty", "false", "-p", scratch],
    {
      cwd: scratch,
      encoding: "utf8",
    },
  );
  if (tsc.status === 0) {
    return [];
  }
  const lines = `${tsc.stdout}${tsc.stderr}`.split("\n").filter((line) => line.trim() !== "");
  return lines.length > 0
    ? lines.map((line) => atItsSource(line, files))
    : [`tsc failed: ${tsc.error?.message ?? tsc.status}`];
}

function scratchName(example: DocExample): string {
  return `${example.path.replaceAll(/[^a-zA-Z0-9-]/g, "_")}_${example.line}.ts`;
}

// Compiler messages name the scratch file; people need the line in the docstring or the Markdown file.
function atItsSource(line: string, files: readonly { name: string; example: DocExample }[]): string {
  const match = /^(?:.*\/)?([^/(]+)\((\d+),\d+\): (.*)$/.exec(line);
  const file = files.find(({ name }) => name === match?.[1]);
  return match === null || file === undefined
    ? line.replace(/^(\.\.\/)+/, "")
    : `${file.example.path}:${file.example.line + Number(match[2]) - 1}: ${match[3]}`;
}

if (import.meta.main) {
  const { count, problems } = checkDocExamples();
  reportCheck("check-doc-examples", `${count} examples compile`, problems);
}

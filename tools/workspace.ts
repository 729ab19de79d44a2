import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** One file of the repository; `path` is relative to the root, with forward slashes. */
export type SourceFile = { readonly path: string; readonly text: string };

/** What the checks read of a package.json. */
export type Manifest = {
  readonly name: string;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
};

/** One package under `packages/`; `name` is the folder's name and the name after `@signet/`. */
export type WorkspacePackage = {
  readonly name: string;
  readonly manifest: Manifest;
  readonly files: readonly SourceFile[];
};

/** The whole repository, as the checks see it. */
export type Workspace = { readonly packages: readonly WorkspacePackage[]; readonly outside: readonly SourceFile[] };

/** The folder that holds the root package.json. */
export const repositoryRoot: string = fileURLToPath(new URL("..", import.meta.url));

/** Reads every package's manifest and sources, and the sources of `deploy/`, `test/` and `tools/`. */
export function readWorkspace(root: string = repositoryRoot): Workspace {
  const packages = globSync("packages/*/package.json", { cwd: root })
    .sort()
    .map((path): WorkspacePackage => {
      const folder = path.slice(0, -"/package.json".length);
      return {
        name: folder.slice("packages/".length),
        manifest: readManifest(join(root, path)),
        files: readSources(root, [`${folder}/src/**/*.ts`, `${folder}/bin/*.js`]),
      };
    });
  return { packages, outside: readSources(root, ["deploy/**/*.ts", "test/**/*.ts", "tools/**/*.ts"]) };
}

/** The text of a file of the repository, or undefined if there is none. */
export function readRepositoryFile(path: string, root: string = repositoryRoot): string | undefined {
  const absolute = join(root, path);
  return existsSync(absolute) ? readFileSync(absolute, "utf8") : undefined;
}

/** Prints what a check found and sets the exit code; a check is one line when all is well. */
export function reportCheck(name: string, summary: string, problems: readonly string[]): void {
  if (problems.length === 0) {
    process.stdout.write(`${name}: ${summary}\n`);
    return;
  }
  process.stdout.write(`${problems.map((problem) => `${name}: ${problem}`).join("\n")}\n`);
  process.exitCode = 1;
}

function readManifest(path: string): Manifest {
  const json = JSON.parse(readFileSync(path, "utf8")) as Partial<Manifest> & { name: string };
  return { name: json.name, dependencies: json.dependencies ?? {}, devDependencies: json.devDependencies ?? {} };
}

function readSources(root: string, patterns: readonly string[]): readonly SourceFile[] {
  return globSync([...patterns], { cwd: root, exclude: (name) => name === "node_modules" || name === "testdata" })
    .sort()
    .map((path) => ({ path: path.replaceAll("\\", "/"), text: readFileSync(join(root, path), "utf8") }));
}

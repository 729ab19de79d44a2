import { isBuiltin } from "node:module";
import { posix } from "node:path";
import { type LayerRule, layers, packagesWithSubpaths, testLibraries } from "./layers.ts";
import { type ImportedModule, readImports } from "./read-imports.ts";
import { readWorkspace, reportCheck, type SourceFile, type Workspace, type WorkspacePackage } from "./workspace.ts";

/** Every breach of the import table in `workspace`, one sentence each, with file and line where there is one. */
export function checkLayers(workspace: Workspace): readonly string[] {
  return [
    ...workspace.packages.flatMap(checkPackage),
    ...workspace.outside.flatMap((file) =>
      readImports(file).flatMap((imported) => located(file, imported, outsideProblem(file, imported.specifier))),
    ),
  ];
}

type Importer = { readonly name: string; readonly rule: LayerRule; readonly file: SourceFile };

function checkPackage(owner: WorkspacePackage): readonly string[] {
  const rule = layers[owner.name];
  if (rule === undefined) {
    return [`${owner.name} is not in the import table`];
  }
  const problems: string[] = [];
  const used = new Set<string>();
  for (const file of owner.files) {
    for (const imported of readImports(file)) {
      problems.push(...located(file, imported, packageProblem({ name: owner.name, rule, file }, imported.specifier)));
      const name = packageName(imported.specifier);
      if (!isTest(file.path) && isPackageSpecifier(imported.specifier) && !testLibraries.includes(name)) {
        used.add(name);
      }
    }
  }
  return [...problems, ...manifestProblems(owner, used)];
}

function packageProblem(importer: Importer, specifier: string): string | undefined {
  const { name, rule, file } = importer;
  if (specifier === "*") {
    return "an import() must name its module with a literal";
  }
  if (specifier.startsWith(".")) {
    const target = posix.join(posix.dirname(file.path), specifier);
    return target.startsWith(`packages/${name}/`) ? undefined : `${name} may not reach ${target} by a relative path`;
  }
  if (specifier.startsWith("node:")) {
    return undefined;
  }
  if (isBuiltin(specifier)) {
    return `write node:${specifier} instead of ${specifier}`;
  }
  return specifier.startsWith("@signet/")
    ? ownPackageProblem(importer, specifier)
    : libraryProblem({ name, rule, file }, packageName(specifier));
}

function ownPackageProblem({ name, rule, file }: Importer, specifier: string): string | undefined {
  const [target = "", ...subpath] = specifier.slice("@signet/".length).split("/");
  const entry = subpath.join("/");
  const targetRule = layers[target];
  if (targetRule === undefined) {
    return `${target} is not in the import table`;
  }
  if (entry === "testing") {
    return testingProblem({ name, rule, file }, { target, layer: targetRule.layer });
  }
  if (target === name) {
    return isTest(file.path) ? undefined : `${name} may not import itself by name`;
  }
  if (!rule.packages.includes(target)) {
    return `${name} may not import ${target}`;
  }
  return entryProblem(target, entry);
}

// A fake is of use to neighbours on the same layer too (a TLS test needs certificates), and no product depends on it.
function testingProblem({ name, rule, file }: Importer, fake: { target: string; layer: number }): string | undefined {
  if (!isTest(file.path) && !isTesting(file.path)) {
    return `@signet/${fake.target}/testing is for *.test.ts, testing.ts and /test only`;
  }
  return fake.layer <= rule.layer ? undefined : `${name} may not import ${fake.target}/testing, which is above it`;
}

function entryProblem(target: string, entry: string): string | undefined {
  return entry === "" || packagesWithSubpaths.includes(target)
    ? undefined
    : `@signet/${target}/${entry} is a deep import; only @signet/${target} and its testing are entry points`;
}

function libraryProblem({ name, rule, file }: Importer, library: string): string | undefined {
  // Testing files hold the suites that every implementation of an interface runs.
  if ((isTest(file.path) || isTesting(file.path)) && testLibraries.includes(library)) {
    return undefined;
  }
  if (!rule.libraries.includes(library)) {
    return `${name} may not import ${library}`;
  }
  const only = rule.librariesOnlyIn;
  return only === undefined || file.path === `packages/${name}/${only}`
    ? undefined
    : `only ${only} of ${name} may import ${library}`;
}

function manifestProblems(owner: WorkspacePackage, used: ReadonlySet<string>): readonly string[] {
  const listed = Object.keys(owner.manifest.dependencies);
  const expected = `@signet/${owner.name}`;
  return [
    ...(owner.manifest.name === expected ? [] : [`packages/${owner.name} must be named ${expected}`]),
    ...[...used]
      .filter((name) => name !== expected && !listed.includes(name))
      .map((name) => `${owner.name} imports ${name} and its package.json does not list it`),
    ...listed
      .filter((name) => !used.has(name))
      .map((name) => `${owner.name} lists ${name} in its package.json and never imports it`),
  ];
}

// deploy/, test/ and tools/ stand above all packages, and still use no more of a package than what it exports.
function outsideProblem(file: SourceFile, specifier: string): string | undefined {
  if (specifier.startsWith(".")) {
    const target = posix.join(posix.dirname(file.path), specifier);
    return target.startsWith("packages/") ? `${target} is inside a package; import the package by its name` : undefined;
  }
  if (!specifier.startsWith("node:") && isBuiltin(specifier)) {
    return `write node:${specifier} instead of ${specifier}`;
  }
  if (!specifier.startsWith("@signet/")) {
    return undefined;
  }
  const [target = "", ...subpath] = specifier.slice("@signet/".length).split("/");
  const entry = subpath.join("/");
  return entry === "testing" ? undefined : entryProblem(target, entry);
}

function located(file: SourceFile, imported: ImportedModule, problem: string | undefined): readonly string[] {
  return problem === undefined ? [] : [`${file.path}:${imported.line}: ${problem}`];
}

function isTest(path: string): boolean {
  return path.endsWith(".test.ts");
}

function isTesting(path: string): boolean {
  return /\/src\/(testing\.ts|testing\/.*)$/.test(path);
}

function isPackageSpecifier(specifier: string): boolean {
  return specifier !== "*" && !specifier.startsWith(".") && !isBuiltin(specifier);
}

function packageName(specifier: string): string {
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

if (import.meta.main) {
  const workspace = readWorkspace();
  const names = workspace.packages.map((owner) => owner.name);
  reportCheck("check-layers", `${names.length} packages keep to the import table`, checkLayers(workspace));
}

import { execFile } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { renderSettingsDocs, settingsDocsPath } from "./generate-settings-docs.ts";
import { readRepositoryFile, reportCheck, repositoryRoot } from "./workspace.ts";

const protosPackage = join(repositoryRoot, "packages/protos");
const remedy = "run `npm run generate` and commit what it writes";

/** Names every committed generated file that differs from what its generator writes now. */
export async function checkGenerated(): Promise<readonly string[]> {
  const settingsDocs = readRepositoryFile(settingsDocsPath) === renderSettingsDocs() ? [] : [settingsDocsPath];
  const stale = [...(await staleProtos()), ...settingsDocs];
  return stale.map((path) => `${path} is not what its generator writes; ${remedy}`);
}

async function staleProtos(): Promise<readonly string[]> {
  const fresh = await mkdtemp(join(tmpdir(), "signet-generated-"));
  try {
    const buf = join(repositoryRoot, "node_modules/.bin/buf");
    await promisify(execFile)(buf, ["generate", "--output", fresh], { cwd: protosPackage, env: offlineEnvironment() });
    return differences(protosPackage, fresh).map((path) => `packages/protos/${path}`);
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

function offlineEnvironment(): NodeJS.ProcessEnv {
  const binaries = join(repositoryRoot, "node_modules/.bin");
  return { ...process.env, PATH: `${binaries}:${process.env.PATH ?? ""}` };
}

function differences(committed: string, fresh: string): readonly string[] {
  const filesOf = (root: string): readonly string[] =>
    globSync("src/gen/**/*.ts", { cwd: root }).map((path) => path.replaceAll("\\", "/"));
  const read = (root: string, path: string): string => readFileSync(join(root, path), "utf8");
  const before = new Set(filesOf(committed));
  const after = new Set(filesOf(fresh));
  return [...before.union(after)]
    .filter((path) => !before.has(path) || !after.has(path) || read(committed, path) !== read(fresh, path))
    .sort();
}

if (import.meta.main) {
  reportCheck("check-generated", "generated files are what their generators write", await checkGenerated());
}

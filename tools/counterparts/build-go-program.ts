import { execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { access, constants, mkdir, readFile, rename, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { cacheDirectory } from "@signet/cli";
import { acquireFileLock, errorCode, errorMessage, type FileLock } from "@signet/runtime";

/** A program that is built from Go modules; `go.mod`, `go.sum` and `tools.go` in `directory` pin all of its sources. */
export type GoProgram = {
  /** The binary's name, and its directory in the cache. */
  readonly name: string;
  /** For people: "Vault 1.21.0". */
  readonly title: string;
  readonly version: string;
  readonly directory: string;
  /** Import path of the main package. */
  readonly mainPackage: string;
  /** Sources in `directory` that are built, or that pin what is. Default `tools.go`. */
  readonly sources?: readonly string[];
  readonly ldflags: string;
  /** How long a first build takes on two cores, for people: "about 15 minutes". */
  readonly duration: string;
  /** Environment variable with the path of a binary that is to be used instead. */
  readonly override: string;
};

/** A program that can be run, or why there is none; "failed" is what must not pass unseen in CI. */
export type GoProgramSearch =
  | { readonly kind: "found"; readonly path: string }
  | { readonly kind: "no-go"; readonly reason: string }
  | { readonly kind: "failed"; readonly reason: string };

/** What `buildGoProgram` reads of its surroundings, and whom it tells. */
export type GoBuildOptions = {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Called with one line before something slow begins. */
  readonly progress: (line: string) => void;
};

const lockRetryMs = 1_000;
const keptOutputCharacters = 4_000;

/**
 * Returns the program's binary: the one that its override names, else the cached one, else it is built.
 *
 * The cache (`cacheDirectory`) is shared by clones: a binary appears in it whole or not at all, in a directory named by the
 * version and by a hash of everything that decides what is built. A lock lets one build at a time run, whoever asks.
 */
export async function buildGoProgram(
  program: GoProgram,
  options: GoBuildOptions,
  signal: AbortSignal,
): Promise<GoProgramSearch> {
  const named = options.env[program.override];
  if (named) {
    return (await isExecutable(named))
      ? { kind: "found", path: resolve(named) }
      : { kind: "failed", reason: `${program.override}=${named} cannot be run` };
  }
  const path = await cachedPath(program, options.env);
  if (await isExecutable(path)) return { kind: "found", path };
  if (!(await hasGo(options.env, signal))) {
    return {
      kind: "no-go",
      reason: `${program.title} is built from source and there is no Go here; set ${program.override} to the path of one`,
    };
  }
  try {
    const lock = await waitForLock(join(cacheDirectory(options.env), "go-build.lock"), options, signal);
    try {
      // Whoever had the lock before may have built it.
      if (!(await isExecutable(path))) await build(program, { ...options, path }, signal);
      return { kind: "found", path };
    } finally {
      await lock.release();
    }
  } catch (error) {
    signal.throwIfAborted();
    return { kind: "failed", reason: `${program.title} cannot be built: ${errorMessage(error)}` };
  }
}

/** The path in `search`; undefined, after a line that says why, when there is none. A failed build throws where CI is set. */
export function programPath(search: GoProgramSearch, options: GoBuildOptions): string | undefined {
  if (search.kind === "found") return search.path;
  if (search.kind === "failed" && options.env.CI) throw new Error(search.reason);
  options.progress(search.reason);
  return undefined;
}

async function cachedPath(program: GoProgram, env: GoBuildOptions["env"]): Promise<string> {
  const hash = createHash("sha256");
  for (const name of ["go.mod", "go.sum", ...(program.sources ?? ["tools.go"])]) {
    hash.update(await readFile(join(program.directory, name)));
  }
  hash.update(JSON.stringify([program.mainPackage, buildArguments(program), process.platform, process.arch]));
  const place = `${program.version}-${hash.digest("hex").slice(0, 12)}`;
  return join(cacheDirectory(env), program.name, place, program.name);
}

function buildArguments({ ldflags }: GoProgram): readonly string[] {
  return ["build", "-trimpath", "-ldflags", ldflags];
}

async function build(
  program: GoProgram,
  options: GoBuildOptions & { readonly path: string },
  signal: AbortSignal,
): Promise<void> {
  const home = dirname(options.path);
  const making = `${home}.making`;
  options.progress(`building ${program.title} from source, once; this takes ${program.duration}`);
  await mkdir(dirname(home), { recursive: true });
  // Nobody else builds while we hold the lock, so this is of a build that was killed.
  await rm(making, { recursive: true, force: true });
  try {
    const output = join(making, program.name);
    const args = [...buildArguments(program), "-o", output, program.mainPackage];
    await runGo(args, { cwd: program.directory, env: options.env }, signal);
    await rm(home, { recursive: true, force: true });
    await rename(making, home);
  } finally {
    await rm(making, { recursive: true, force: true });
  }
}

async function runGo(
  args: readonly string[],
  where: { readonly cwd: string; readonly env: GoBuildOptions["env"] },
  signal: AbortSignal,
): Promise<void> {
  const child = spawn("go", args, {
    ...where,
    env: goEnvironment(where.env),
    stdio: ["ignore", "pipe", "pipe"],
    signal,
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      output = (output + chunk).slice(-keptOutputCharacters);
    });
  }
  const { promise, resolve: done, reject } = Promise.withResolvers<number | NodeJS.Signals | null>();
  child.once("error", reject);
  child.once("close", (code, killedBy) => done(code ?? killedBy));
  const how = await promise;
  if (how !== 0) throw new Error(`go build ended with ${how}: ${lastLines(output)}`);
}

/** `-mod=readonly`: what go.mod and go.sum say is built, or nothing. */
function goEnvironment(env: GoBuildOptions["env"]): NodeJS.ProcessEnv {
  return { ...env, CGO_ENABLED: "0", GOFLAGS: "-mod=readonly -buildvcs=false", GOWORK: "off" };
}

function lastLines(output: string): string {
  const lines = output.split("\n").filter((line) => line !== "" && !line.startsWith("go: downloading"));
  return lines.slice(-8).join("; ");
}

async function waitForLock(path: string, options: GoBuildOptions, signal: AbortSignal): Promise<FileLock> {
  await mkdir(dirname(path), { recursive: true });
  let said = false;
  while (true) {
    try {
      return await acquireFileLock(path);
    } catch (error) {
      if (errorCode(error) !== "locked") throw error;
      if (!said) options.progress(`waiting for another build: ${errorMessage(error)}`);
      said = true;
      await sleep(lockRetryMs, undefined, { signal });
    }
  }
}

async function hasGo(env: GoBuildOptions["env"], signal: AbortSignal): Promise<boolean> {
  try {
    await promisify(execFile)("go", ["version"], { env: { ...env }, signal, timeout: 60_000 });
    return true;
  } catch {
    signal.throwIfAborted();
    return false;
  }
}

async function isExecutable(path: string): Promise<boolean> {
  return await access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

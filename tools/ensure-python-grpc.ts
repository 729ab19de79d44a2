import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { access, mkdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { cacheDirectory } from "@signet/cli";

const run = promisify(execFile);
const requirements = join(import.meta.dirname, "../test/e2e/python/requirements.txt");

/** A Python that can `import grpc` and `import spiffe` and run `grpc_tools.protoc`, or why there is none. */
export type PythonGrpc = { readonly kind: "ready"; readonly python: string } | { kind: "missing"; reason: string };

/**
 * Makes, once per cache, a virtual environment with the pinned grpcio, grpcio-tools and spiffe, and returns its interpreter.
 *
 * Clones share the cache (`SIGNET_CACHE`, else the user's cache directory). The environment is made beside its final
 * place and moved there whole, so two runs at once and an interrupted run both end well.
 */
export async function ensurePythonGrpc(): Promise<PythonGrpc> {
  let tag: string;
  try {
    const about = "import sys; print('%d.%d' % sys.version_info[:2], sys.platform)";
    tag = (await run("python3", ["-c", about])).stdout.trim().replace(" ", "-");
  } catch (error) {
    return { kind: "missing", reason: `python3 does not run: ${firstLine(error)}` };
  }
  const digest = createHash("sha256")
    .update(await readFile(requirements))
    .digest("hex");
  const home = join(cacheDirectory(process.env), `python-grpc-${tag}-${digest.slice(0, 12)}`);
  const python = join(home, "bin", "python");
  if (await exists(python)) return { kind: "ready", python };
  try {
    process.stderr.write(`installing grpcio and spiffe for Python into ${home} (once)\n`);
    await install(home);
    return { kind: "ready", python };
  } catch (error) {
    return { kind: "missing", reason: `grpcio and spiffe cannot be installed: ${firstLine(error)}` };
  }
}

async function install(home: string): Promise<void> {
  const making = `${home}.${process.pid}`;
  try {
    await mkdir(cacheDirectory(process.env), { recursive: true });
    await run("python3", ["-m", "venv", making]);
    const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    await run(join(making, "bin", "python"), [...pip, "--require-hashes", "--only-binary=:all:", "-r", requirements]);
    await rename(making, home);
  } catch (error) {
    if (!(await exists(join(home, "bin", "python")))) throw error;
  } finally {
    await rm(making, { recursive: true, force: true });
  }
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

function firstLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split("\n").slice(0, 2).join(" ");
}

if (import.meta.main) {
  const found = await ensurePythonGrpc();
  process.stdout.write(`${found.kind === "ready" ? found.python : found.reason}\n`);
  process.exitCode = found.kind === "ready" ? 0 : 1;
}

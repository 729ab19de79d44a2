import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The openssl command of OpenSSL 3, with a directory of its own to leave files in. */
export interface OpenSsl {
  /** Why there is none; then everything else fails. */
  readonly missing?: string;
  /** Returns what the command prints; throws with what it complains about unless it exits 0. */
  run(args: readonly string[]): string;
  /** Returns the path of a file with that content. */
  file(name: string, content: string): string;
  path(name: string): string;
  close(): void;
}

/**
 * Returns the openssl command, or one that says why there is none to be had.
 *
 * Under CI a missing command is an error: a conformance suite that is skipped proves nothing.
 */
export function findOpenSsl(): OpenSsl {
  const found = spawnSync("openssl", ["version"], { encoding: "utf8" });
  const version = found.status === 0 ? found.stdout.trim() : "";
  const missing = /^OpenSSL 3\./.test(version) ? undefined : `openssl 3 is not installed, found ${version || "none"}`;
  if (missing !== undefined && process.env.CI) {
    throw new Error(missing);
  }
  const directory = mkdtempSync(join(tmpdir(), "signet-openssl-"));
  const path = (name: string): string => join(directory, name);
  return {
    ...(missing !== undefined && { missing }),
    path,
    run: (args) => run(args, directory),
    file: (name, content) => {
      writeFileSync(path(name), content, { mode: 0o600 });
      return path(name);
    },
    close: () => rmSync(directory, { recursive: true, force: true }),
  };
}

function run(args: readonly string[], directory: string): string {
  const { status, stdout, stderr } = spawnSync("openssl", args, { cwd: directory, encoding: "utf8", timeout: 60_000 });
  if (status !== 0) {
    throw new Error(`openssl ${args[0]} failed with ${status}: ${stdout}${stderr}`);
  }
  return stdout;
}

import { chmod, unlink } from "node:fs/promises";
import { hostname } from "node:os";
import { errorMessage, RuntimeError } from "./errors.ts";
import { readFileCapped, writeFileAtomic } from "./files.ts";

/** A lock that is held. */
export interface FileLock {
  /** Gives the lock back; a second call does nothing. The end of the process, however it comes, does it too. */
  release(): Promise<void>;
}

// What SQLite answers when another connection has the lock (SQLITE_BUSY).
const busy = 5;
// Of two that come at once both may step back once; retrying this long lets one of them have it.
const retryMs = 250;
const maxOwnerBytes = 1024;

/**
 * Locks `path` against every other process, and every other caller in this one, until released.
 *
 * The kernel holds the lock for the life of the process: a process that was killed leaves none behind, and nothing is ever
 * guessed from process ids, which mean nothing across containers that share a directory. The lock file stays, empty; beside it
 * `<path>.owner` says who has the lock, for people, where there is room for it. Both belong in a private directory on a file system with POSIX locks.
 * @throws RuntimeError `locked`, naming the process that has it, or `lock-unusable`
 * @example
 * ```ts
 * import { acquireFileLock, ensurePrivateDirectory } from "@signet/runtime";
 * await ensurePrivateDirectory("/tmp/signet-example");
 * const lock = await acquireFileLock("/tmp/signet-example/lock");
 * await lock.release();
 * ```
 */
export async function acquireFileLock(path: string): Promise<FileLock> {
  const unlock = await lockFile(path);
  const ownerPath = `${path}.owner`;
  // Keeps the database reachable: one that is garbage collected gives its lock away.
  process.once("exit", unlock);
  let released = false;

  async function release(): Promise<void> {
    if (released) return;
    released = true;
    process.off("exit", unlock);
    await unlink(ownerPath).catch(() => undefined);
    unlock();
  }

  try {
    await chmod(path, 0o600);
  } catch (error) {
    await release();
    throw new RuntimeError("lock-unusable", `cannot use lock ${path}: ${errorMessage(error)}`, { cause: error });
  }
  // For a message only: on a full disk the lock holds without it.
  await writeFileAtomic(ownerPath, `process ${process.pid} on ${hostname()}\n`, { mode: 0o600 }).catch(() => undefined);
  return { release };
}

/**
 * Takes an exclusive lock and returns what gives it back.
 *
 * Node has no flock; SQLite, which comes with it, takes a POSIX record lock. The lock file must not be opened in any other way
 * by this process: closing any descriptor of a file drops all POSIX locks that the process has on it.
 */
async function lockFile(path: string): Promise<() => void> {
  // Loaded here and not at the top: most processes never lock anything.
  const { DatabaseSync } = await import("node:sqlite");
  try {
    const database = new DatabaseSync(path, { timeout: retryMs });
    try {
      // The journal in memory, since nothing is ever written.
      database.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
      return () => database.close();
    } catch (error) {
      database.close();
      throw error;
    }
  } catch (error) {
    if (sqliteCode(error) === busy) {
      throw new RuntimeError("locked", `${path} is locked by ${await ownerOf(path)}`, { cause: error });
    }
    throw new RuntimeError("lock-unusable", `cannot use lock ${path}: ${errorMessage(error)}`, { cause: error });
  }
}

function sqliteCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("errcode" in error)) return undefined;
  return typeof error.errcode === "number" ? error.errcode : undefined;
}

/** Who says to have the lock; only for the message, since it may have changed hands this moment. */
async function ownerOf(path: string): Promise<string> {
  try {
    const text = (await readFileCapped(`${path}.owner`, maxOwnerBytes)).toString("utf8").trim();
    return /^process \d+ on [\w.-]+$/.test(text) ? text : "another process";
  } catch {
    return "another process";
  }
}

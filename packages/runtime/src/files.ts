import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, mkdir, open, readdir, rename, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { errorCode, errorMessage, RuntimeError } from "./errors.ts";

/**
 * Makes sure that `path` is a directory which only this user can enter: creates it (and its parents) with mode 0700, takes the
 * rights of others away from one that is ours, refuses one that belongs to someone else who could write to it.
 * @throws RuntimeError `directory-not-private`, or `file-unwritable` when it cannot be created or opened
 * @example
 * ```ts
 * import { ensurePrivateDirectory } from "@signet/runtime";
 * await ensurePrivateDirectory("/tmp/signet-example");
 * ```
 */
export async function ensurePrivateDirectory(path: string): Promise<void> {
  let directory: FileHandle;
  try {
    await makeDirectories(path);
    directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (error) {
    throw new RuntimeError("file-unwritable", `cannot make directory ${path}: ${errorMessage(error)}`, {
      cause: error,
    });
  }
  try {
    await makePrivate(directory, path);
  } finally {
    await directory.close();
  }
}

/**
 * Makes the directory and those above it that are missing; what is there already is left for others to judge.
 *
 * Not by the `recursive` of mkdir, which tries for ever where the parent exists and ENOENT is the answer all the same.
 */
async function makeDirectories(path: string): Promise<void> {
  if (await makeDirectory(path)) return;
  const parent = dirname(path);
  if (parent !== path) await makeDirectories(parent);
  if (!(await makeDirectory(path))) throw new Error("the file system makes no directory there");
}

/** Whether the path exists now; false when its parent seems to be missing. */
async function makeDirectory(path: string): Promise<boolean> {
  try {
    await mkdir(path, { mode: 0o700 });
    return true;
  } catch (error) {
    if (errorCode(error) === "EEXIST") return true;
    if (errorCode(error) === "ENOENT") return false;
    throw error;
  }
}

/** Works on the open directory, so that nobody can put another in its place between the look and the change. */
async function makePrivate(directory: FileHandle, path: string): Promise<void> {
  const { uid, mode } = await directory.stat();
  const user = process.geteuid?.() ?? uid;
  if (uid === user) {
    if ((mode & 0o777) !== 0o700) await directory.chmod(0o700);
    return;
  }
  // The superuser can write anywhere, so a directory of root's is no worse than one of our own.
  if (uid !== 0 || (mode & 0o022) !== 0) {
    const rights = (mode & 0o777).toString(8).padStart(4, "0");
    throw new RuntimeError(
      "directory-not-private",
      `directory ${path} of user ${uid} with mode ${rights} can be written by others than user ${user}`,
    );
  }
}

/**
 * Replaces the file at `path` as a whole: whoever reads it, also after a crash, sees the old content or the new, never a part.
 *
 * The mode is exactly `mode`, whatever the umask is; the directory must exist and must not be writable by people who are not
 * trusted. On failure the old file is untouched and nothing is left beside it; only if the very last step fails, which makes the
 * change survive a power cut, is the new file there already. A process killed on the way may leave a `.<name>.<random>.tmp`
 * (see `removeTemporaries`).
 * @throws RuntimeError `file-unwritable`
 * @example
 * ```ts
 * import { writeFileAtomic } from "@signet/runtime";
 * await writeFileAtomic("/tmp/signet-example.txt", "hello\n", { mode: 0o600 });
 * ```
 */
export async function writeFileAtomic(
  path: string,
  data: string | Uint8Array,
  options: { readonly mode: number },
): Promise<void> {
  const bytes = Buffer.from(data);
  const directory = dirname(path);
  const temporary = join(directory, `.${basename(path)}.${randomBytes(8).toString("hex")}.tmp`);
  let created = false;
  try {
    // O_EXCL: never follows a link that someone else has put there.
    const file = await open(temporary, "wx", 0o600);
    created = true;
    try {
      await file.chmod(options.mode);
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    created = false;
    await syncDirectory(directory);
  } catch (error) {
    if (created) await unlink(temporary).catch(() => undefined);
    throw new RuntimeError("file-unwritable", `cannot write ${path}: ${errorMessage(error)}`, { cause: error });
  }
}

/**
 * Removes what a `writeFileAtomic` of `path` left beside it when its process was killed on the way; nothing else may write
 * the file meanwhile. What cannot be removed stays.
 * @example
 * ```ts
 * import { removeTemporaries } from "@signet/runtime";
 * await removeTemporaries("/tmp/signet-example.txt");
 * ```
 */
export async function removeTemporaries(path: string): Promise<void> {
  const prefix = `.${basename(path)}.`;
  const names = await readdir(dirname(path)).catch(() => []);
  const left = names.filter((name) => name.startsWith(prefix) && /^[0-9a-f]{16}\.tmp$/.test(name.slice(prefix.length)));
  await Promise.all(left.map((name) => unlink(join(dirname(path), name)).catch(() => undefined)));
}

/** A rename survives a power cut only once its directory is on disk. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/**
 * The content of a regular file of at most `maxBytes` bytes.
 * @throws RuntimeError `file-too-large`, or `file-unreadable` with Node's error as its cause (see `isFileMissing`)
 * @example
 * ```ts
 * import { readFileCapped, writeFileAtomic } from "@signet/runtime";
 * await writeFileAtomic("/tmp/signet-example.txt", "hello\n", { mode: 0o600 });
 * const content = await readFileCapped("/tmp/signet-example.txt", 65536);
 * content.toString("utf8"); // "hello\n"
 * ```
 */
export async function readFileCapped(path: string, maxBytes: number): Promise<Buffer> {
  try {
    // O_NONBLOCK: opening a named pipe would wait for a writer.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      return await readCapped(file, path, maxBytes);
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof RuntimeError) throw error;
    throw new RuntimeError("file-unreadable", `cannot read ${path}: ${errorMessage(error)}`, { cause: error });
  }
}

async function readCapped(file: FileHandle, path: string, maxBytes: number): Promise<Buffer> {
  const stats = await file.stat();
  if (!stats.isFile()) throw new RuntimeError("file-unreadable", `cannot read ${path}: not a regular file`);
  // Files of /proc say that their size is 0, and a file may grow while it is read: the cap is on what was read.
  const chunks: Buffer[] = [];
  let length = 0;
  while (length <= maxBytes) {
    const chunk = Buffer.alloc(Math.min(Math.max(stats.size - length + 1, 4096), maxBytes + 1 - length));
    const { bytesRead } = await file.read(chunk, 0, chunk.length, null);
    if (bytesRead === 0) return Buffer.concat(chunks, length);
    chunks.push(chunk.subarray(0, bytesRead));
    length += bytesRead;
  }
  throw new RuntimeError("file-too-large", `${path} has more than ${maxBytes} bytes`);
}

/**
 * Whether `error` says that there is no such file, as opposed to one that cannot be read.
 * @example
 * ```ts
 * import { isFileMissing, readFileCapped } from "@signet/runtime";
 * try {
 *   await readFileCapped("/nonexistent", 65536);
 * } catch (error) {
 *   isFileMissing(error); // true
 * }
 * ```
 */
export function isFileMissing(error: unknown): boolean {
  if (errorCode(error) === "ENOENT") return true;
  return error instanceof RuntimeError && errorCode(error.cause) === "ENOENT";
}

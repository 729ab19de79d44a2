import { randomBytes } from "node:crypto";
import { chmod, chown, lstat, mkdir, open, readdir, readlink, rename, rm, symlink, unlink } from "node:fs/promises";
import { join } from "node:path";
import { errorMessage } from "@signet/runtime";
import { AgentError } from "../errors.ts";

/** Files that belong together. */
export type FileSet = {
  readonly directory: string;
  /** Text by name. */
  readonly files: Readonly<Record<string, string>>;
  /** A group that may read them as well; without one they are their owner's alone. */
  readonly groupId?: number;
};

const dataLink = "..data";
const versionPrefix = "..v";
/** Of the version that was there before, so that whoever is in the middle of reading it gets to its end. */
const keptVersions = 2;

/**
 * Replaces the files of a directory as one set: a reader finds all old or all new ones behind `..data`, and nothing in between.
 *
 * As a kubelet publishes a volume: the files are written into a new directory beside, and one rename of the link `..data`, which
 * every name leads through, makes it count. Mode 0600, or 0640 for a group. A regular file that is in the way of a name is
 * replaced. After an error, a full disk for one, the set that was there is there still.
 * @throws AgentError `output-unwritable`
 */
export async function writeFileSet(set: FileSet): Promise<void> {
  const { directory, files } = set;
  const version = `${versionPrefix}${Date.now().toString(36)}-${randomBytes(6).toString("hex")}`;
  try {
    await makeDirectory(directory, set.groupId);
    try {
      await writeVersion(join(directory, version), set);
      await publish(directory, version);
    } catch (error) {
      await rm(join(directory, version), { recursive: true, force: true });
      throw error;
    }
    for (const name of Object.keys(files)) await linkName(directory, name);
    await removeOldVersions(directory, version);
  } catch (error) {
    throw new AgentError("output-unwritable", `cannot write to ${directory}: ${errorMessage(error)}`, { cause: error });
  }
}

async function makeDirectory(path: string, groupId: number | undefined): Promise<void> {
  const created = await mkdir(path, { recursive: true, mode: groupId === undefined ? 0o700 : 0o750 });
  if (created !== undefined && groupId !== undefined) await chown(path, process.geteuid?.() ?? -1, groupId);
}

async function writeVersion(path: string, { files, groupId }: FileSet): Promise<void> {
  await mkdir(path, { mode: 0o700 });
  for (const [name, text] of Object.entries(files)) {
    const file = await open(join(path, name), "wx", 0o600);
    try {
      if (groupId !== undefined) {
        await file.chown(process.geteuid?.() ?? -1, groupId);
        await file.chmod(0o640);
      }
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
  }
  if (groupId === undefined) return;
  await chown(path, process.geteuid?.() ?? -1, groupId);
  await chmod(path, 0o750);
}

/** The one step that counts. */
async function publish(directory: string, version: string): Promise<void> {
  await replaceLink(directory, { name: dataLink, target: version });
  const handle = await open(directory, "r");
  try {
    // A rename survives a power cut only once its directory is on disk.
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function linkName(directory: string, name: string): Promise<void> {
  const target = `${dataLink}/${name}`;
  const current = await readlink(join(directory, name)).catch(() => undefined);
  if (current !== target) await replaceLink(directory, { name, target });
}

async function replaceLink(
  directory: string,
  { name, target }: { readonly name: string; readonly target: string },
): Promise<void> {
  const temporary = join(directory, `.${name}.${randomBytes(6).toString("hex")}.tmp`);
  await symlink(target, temporary);
  try {
    await rename(temporary, join(directory, name));
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw error;
  }
}

/** What a killed process has left is removed as well; it is never in use, for a version is published at once or not at all. */
async function removeOldVersions(directory: string, current: string): Promise<void> {
  const names = (await readdir(directory)).filter((name) => name.startsWith(versionPrefix) && name !== current);
  const dated = await Promise.all(
    names.map(async (name) => ({
      name,
      ms: (await lstat(join(directory, name)).catch(() => undefined))?.mtimeMs ?? 0,
    })),
  );
  dated.sort((one, other) => other.ms - one.ms);
  for (const { name } of dated.slice(keptVersions - 1))
    await rm(join(directory, name), { recursive: true, force: true });
  const left = (await readdir(directory)).filter((name) => /^\..+\.[0-9a-f]{12}\.tmp$/.test(name));
  for (const name of left) await unlink(join(directory, name)).catch(() => undefined);
}

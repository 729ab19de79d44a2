import { isUtf8 } from "node:buffer";
import { readdir, realpath, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { errorCode, errorMessage, isFileMissing, readFileCapped } from "@signet/runtime";
import { AuthorizerError } from "./errors.ts";

/** A file of documents as it was found: its text, or why there is none. */
export type DocumentFile = { readonly name: string } & (
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "unreadable"; readonly why: string }
);

/** What one look at a file or a directory found; the files by name in the order of their code units. */
export type DocumentFiles = {
  readonly files: readonly DocumentFile[];
  /** Every directory that was looked into, for whoever wants to be told of changes. */
  readonly directories: readonly string[];
};

const maxFileBytes = 16_777_216;
const maxTotalBytes = 268_435_456;
const maxFiles = 20_000;
const maxEntries = 100_000;
const maxDepth = 16;

/**
 * Returns the texts of a file, or of all files of a directory and the directories in it whose names end in .yaml, .yml or .json.
 *
 * What begins with a dot is passed over. Links are followed, and no directory is read twice. Where a directory has a `..data`,
 * everything is read from where it leads to now, so that a mounted ConfigMap is read as a whole. A file that cannot be read
 * is told and does not hide the others. At most 16 MiB a file, 256 MiB and 20000 files in all, 16 directories deep.
 * @throws AuthorizerError `documents-unreadable` when the path or a directory cannot be read, `documents-too-many`
 * @example
 * ```ts
 * import { readDocumentFiles } from "@signet/authorizer";
 * const { files } = await readDocumentFiles("policies");
 * for (const file of files) console.log(file.name, file.kind === "text" ? file.text.length : file.why);
 * ```
 */
export async function readDocumentFiles(path: string): Promise<DocumentFiles> {
  const walk: Walk = {
    path,
    files: [],
    directories: [],
    seen: new Set(),
    entriesLeft: maxEntries,
    bytesLeft: maxTotalBytes,
  };
  try {
    if ((await stat(path)).isDirectory()) await readDirectory({ real: path, shown: path }, walk);
    else {
      walk.directories.push(dirname(path));
      walk.files.push(await readFile({ real: path, shown: path }, walk));
    }
  } catch (error) {
    if (error instanceof AuthorizerError) throw error;
    const why = isFileMissing(error) ? "there is nothing of that name" : errorMessage(error);
    throw new AuthorizerError("documents-unreadable", `${path} cannot be read: ${why}`, { cause: error });
  }
  return { files: walk.files, directories: walk.directories };
}

type Walk = {
  readonly path: string;
  readonly files: DocumentFile[];
  readonly directories: string[];
  /** The directories themselves, whatever leads to them. */
  readonly seen: Set<string>;
  entriesLeft: number;
  bytesLeft: number;
};

/** Where something is read, and what it is called: the two differ below a `..data`. */
type Place = { readonly real: string; readonly shown: string };

async function readDirectory({ real, shown }: Place, walk: Walk, depth = 0): Promise<void> {
  if (depth > maxDepth) throw tooMany(walk, `has directories more than ${maxDepth} deep, such as ${shown}`);
  const base = (await resolveIfThere(join(real, "..data"))) ?? (await realpath(real));
  if (walk.seen.has(base)) return;
  walk.seen.add(base);
  walk.directories.push(real);
  for (const name of (await readdir(base)).sort(compareText)) {
    walk.entriesLeft -= 1;
    if (walk.entriesLeft < 0) throw tooMany(walk, `has more than ${maxEntries} entries`);
    if (!name.startsWith(".")) await readEntry({ real: join(base, name), shown: join(shown, name) }, walk, depth);
  }
}

async function readEntry(place: Place, walk: Walk, depth: number): Promise<void> {
  let isDirectory: boolean;
  try {
    isDirectory = (await stat(place.real)).isDirectory();
  } catch (error) {
    // Listed and gone, or a link to nothing: a file that should be read cannot be.
    if (isDocumentFile(place.shown))
      walk.files.push({ kind: "unreadable", name: place.shown, why: errorMessage(error) });
    return;
  }
  if (isDirectory) return await readDirectory(place, walk, depth + 1);
  if (!isDocumentFile(place.shown)) return;
  if (walk.files.length === maxFiles) throw tooMany(walk, `has more than ${maxFiles} files`);
  walk.files.push(await readFile(place, walk));
}

async function readFile({ real, shown: name }: Place, walk: Walk): Promise<DocumentFile> {
  let content: Buffer;
  try {
    content = await readFileCapped(real, maxFileBytes);
  } catch (error) {
    return { kind: "unreadable", name, why: errorMessage(error) };
  }
  walk.bytesLeft -= content.length;
  if (walk.bytesLeft < 0) throw tooMany(walk, `has more than ${maxTotalBytes} bytes`);
  if (!isUtf8(content)) return { kind: "unreadable", name, why: "it is not UTF-8" };
  return { kind: "text", name, text: content.toString("utf8") };
}

function isDocumentFile(name: string): boolean {
  return name.endsWith(".yaml") || name.endsWith(".yml") || name.endsWith(".json");
}

async function resolveIfThere(path: string): Promise<string | undefined> {
  try {
    return await realpath(path);
  } catch (error) {
    if (errorCode(error) === "ENOENT" || errorCode(error) === "ENOTDIR") return undefined;
    throw error;
  }
}

function tooMany({ path }: Walk, why: string): AuthorizerError {
  return new AuthorizerError("documents-too-many", `${path} ${why}`);
}

/** By code units, as no locale may change which order it is. */
export function compareText(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

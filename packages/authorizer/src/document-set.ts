import {
  type Document,
  type DocumentProblem,
  type ParsedDocuments,
  parseDocuments,
  type RefusedDocument,
} from "@signet/documents";
import type { DocumentFile } from "./document-files.ts";

/** All documents of a file or a directory. */
export type DocumentSet = {
  /** Those in force, by file and in its order; in a set that is followed also the last good versions of broken ones. */
  readonly documents: readonly Document[];
  /** Those that cannot be used and never could: whoever decides requests falls towards deny for the workloads they select. */
  readonly refused: readonly RefusedDocument[];
  /** Those that cannot be used and whose last good version is among `documents`. */
  readonly kept: readonly RefusedDocument[];
  readonly warnings: readonly DocumentProblem[];
  /** How many objects of other kinds were passed over, by version and kind. */
  readonly skipped: ReadonlyMap<string, number>;
  /** How many files were read. */
  readonly fileCount: number;
};

/** What one file holds; `readable` is false for one that could not be read, and what it holds is not known. */
export type FileContents = ParsedDocuments & { readonly file: string; readonly readable: boolean };

/**
 * Returns what a file holds; one that cannot be read holds one document of which nothing is known. One without a single octet
 * holds nothing, and is as little to be relied on: so is a file whose writer has found the disk full.
 */
export function parseDocumentFile(file: DocumentFile, namespace: string | undefined): FileContents {
  const options = namespace === undefined ? { file: file.name } : { file: file.name, namespace };
  if (file.kind === "text")
    return { file: file.name, readable: file.text !== "", ...parseDocuments(file.text, options) };
  const position = { file: file.name, line: 1, column: 1 };
  const problem = { ...position, path: "", message: `cannot be read: ${file.why}` };
  return {
    file: file.name,
    readable: false,
    documents: [],
    refused: [{ problems: [problem], position, targetRefs: [], targetsUnknown: true }],
    warnings: [],
    skipped: new Map(),
  };
}

/** Returns what all files hold together, and warns of documents that are in more than one. */
export function uniteFiles(files: readonly FileContents[]): DocumentSet {
  const skipped = new Map<string, number>();
  for (const file of files) {
    for (const [kind, count] of file.skipped) skipped.set(kind, (skipped.get(kind) ?? 0) + count);
  }
  return {
    documents: files.flatMap(({ documents }) => documents),
    refused: files.flatMap(({ refused }) => refused),
    kept: [],
    warnings: [...files.flatMap(({ warnings }) => warnings), ...repeatedIn(files)],
    skipped,
    fileCount: files.length,
  };
}

/** Within one file the parser has said it already. */
function repeatedIn(files: readonly FileContents[]): readonly DocumentProblem[] {
  const fileOf = new Map<string, string>();
  const warnings: DocumentProblem[] = [];
  for (const document of files.flatMap(({ documents }) => documents)) {
    const { file } = document.position;
    const first = fileOf.get(documentKey(document)) ?? file;
    fileOf.set(documentKey(document), first);
    if (first === file) continue;
    warnings.push({ ...document.position, path: "metadata", message: `is named like one in ${first}, and both count` });
  }
  return warnings;
}

/** What tells a document from all others of its cluster. */
export function documentKey({ kind, namespace, name }: Pick<Document, "kind" | "namespace" | "name">): string {
  return JSON.stringify([kind, namespace, name]);
}

import type { Document, RefusedDocument } from "@signet/documents";
import { type DocumentSet, documentKey, type FileContents, uniteFiles } from "./document-set.ts";

/** Remembers the last good version of every document. */
export interface LastGood {
  /** Returns the set that is in force once `files` have been found, and remembers it. */
  take(files: readonly FileContents[]): DocumentSet;
}

/**
 * Returns a memory of documents in which none is lost by breaking.
 *
 * A file that cannot be read is as it was when it could, and so is one that has become empty: who means to take everything out of
 * it removes it, or leaves a comment. A refused document that says which one it is keeps the last good version
 * of that name; one that does not, of whatever is missing from its file: all of that stays, and one of it stands for one
 * such document. What is refused and keeps nothing was never good, and stays refused. So a document is gone only once it is
 * gone from a file that is good throughout.
 */
export function createLastGood(): LastGood {
  let inForce: DocumentSet | undefined;
  let readable: ReadonlyMap<string, FileContents> = new Map();
  return {
    take(files) {
      const effective = files.map((file) => (file.readable ? file : (readable.get(file.file) ?? file)));
      readable = new Map(effective.filter((file) => file.readable).map((file) => [file.file, file]));
      const unread = files.filter((file) => !file.readable && readable.has(file.file));
      const kept = unread.flatMap(({ file, refused }) => (refused.length === 0 ? [emptied(file)] : refused));
      const next = { ...uniteFiles(effective), kept };
      inForce = inForce === undefined ? next : keepLastGood(inForce, next);
      return inForce;
    },
  };
}

function emptied(file: string): RefusedDocument {
  const position = { file, line: 1, column: 1 };
  const problem = {
    ...position,
    path: "",
    message: "is empty, and was not before: remove the file to remove its documents",
  };
  return { problems: [problem], position, targetRefs: [], targetsUnknown: true };
}

function keepLastGood(previous: DocumentSet, next: DocumentSet): DocumentSet {
  if (next.refused.length === 0) return next;
  const present = new Set(next.documents.map(documentKey));
  const missing = new Set(previous.documents.filter((document) => !present.has(documentKey(document))));
  const saved = new Set<Document>();
  const refused: RefusedDocument[] = [];
  const kept: RefusedDocument[] = [];
  // Those with a name first: what they keep cannot be what a nameless one was.
  for (const one of next.refused.toSorted((a, b) => Number(isNamed(b)) - Number(isNamed(a)))) {
    const candidates = [...missing].filter((document) => mayBe(document, one));
    for (const document of candidates) saved.add(document);
    const standsFor = isNamed(one) ? candidates : candidates.slice(0, 1);
    for (const document of standsFor) missing.delete(document);
    (standsFor.length > 0 ? kept : refused).push(one);
  }
  return { ...next, documents: [...next.documents, ...saved], refused, kept: [...next.kept, ...kept] };
}

function isNamed({ kind, namespace, name }: RefusedDocument): boolean {
  return kind !== undefined && namespace !== undefined && name !== undefined;
}

function mayBe(document: Document, refused: RefusedDocument): boolean {
  // What can be read of a document that is cut off may be cut off too, so half a name says nothing.
  if (!isNamed(refused)) return refused.position.file === document.position.file;
  const { kind, namespace, name } = refused;
  return kind === document.kind && namespace === document.namespace && name === document.name;
}

import type { Document, DocumentPosition } from "@signet/documents";
import { type LintId, type LintSeverity, lintCatalog } from "./lint-catalog.ts";

/** Something that a set of documents does and that its author will hardly have meant. */
export type LintFinding = {
  readonly id: LintId;
  readonly severity: LintSeverity;
  /** The document it is about; absent for one that could not be read so far. */
  readonly document?: { readonly kind: string; readonly namespace: string; readonly name: string };
  /** The field, such as `spec.rules[0].from[0].source.principals[1]`; empty for the document as a whole. */
  readonly path: string;
  /** Of the field, or of the nearest part of the document around it whose place is known. */
  readonly position: DocumentPosition;
  /** What happens, in a sentence. */
  readonly reason: string;
  /** What to do about it, in a sentence. */
  readonly fix: string;
};

/** What a check says; the rest is known from where it looked. */
export type Remark = {
  readonly id: LintId;
  readonly reason: string;
  readonly fix: string;
  /** Where it is not that of the catalog. */
  readonly severity?: LintSeverity;
};

/** Where a check looked. */
export type Place = { readonly document: Document; readonly path: string; readonly position: DocumentPosition };

/** Takes what checks say. */
export type Report = (place: Place, remark: Remark) => void;

/** Returns the finding of a remark at a place. */
export function findingOf({ document, path, position }: Place, remark: Remark): LintFinding {
  const { kind, namespace, name } = document;
  const { id, severity = lintCatalog[id].severity, reason, fix } = remark;
  return { id, severity, document: { kind, namespace, name }, path, position, reason, fix };
}

/** A user's text within a sentence, in quotes, cut and free of what terminals obey. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}...` : text);
}

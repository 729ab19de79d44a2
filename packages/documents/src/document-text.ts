import type { DocumentPosition, DocumentProblem } from "./document-problem.ts";

/** Most problems of one document that are told, and most warnings; whoever mends these sees the next ones then. */
export const maxProblems = 100;

/** Something to say about a place in a text. */
export type Remark = { readonly offset: number; readonly path: string; readonly message: string };

/** The text that documents are read from: what it is called, and the problems found in it so far. */
export interface DocumentText {
  readonly file: string;
  readonly problems: readonly DocumentProblem[];
  /** What is allowed and seldom meant. */
  readonly warnings: readonly DocumentProblem[];
  /** Notes a problem at an offset into the text. */
  report(remark: Remark): void;
  /** Notes a warning at an offset into the text. */
  warn(remark: Remark): void;
  /** Where an offset is; what lies outside of the text is at its nearer end. */
  position(offset: number): DocumentPosition;
  /** The same text with no problems and warnings yet, for one of its documents. */
  fresh(): DocumentText;
}

/** A text without problems yet. */
export function createDocumentText(text: string, file: string): DocumentText {
  let lines: readonly number[] | undefined;
  const position = (offset: number): DocumentPosition => {
    lines ??= lineStarts(text);
    return { file, ...positionIn(lines, Math.min(Math.max(offset, 0), text.length)) };
  };
  const fresh = (): DocumentText => {
    const problems: DocumentProblem[] = [];
    const warnings: DocumentProblem[] = [];
    const note = (list: DocumentProblem[], { offset, path, message }: Remark): void => {
      if (list.length < maxProblems) list.push({ path, message, ...position(offset) });
    };
    return {
      file,
      problems,
      warnings,
      report: (remark) => note(problems, remark),
      warn: (remark) => note(warnings, remark),
      position,
      fresh,
    };
  };
  return fresh();
}

/** A line ends with its line feed, and CR LF is one end. */
function lineStarts(text: string): readonly number[] {
  const starts = [0];
  for (let next = text.indexOf("\n"); next >= 0; next = text.indexOf("\n", next + 1)) starts.push(next + 1);
  return starts;
}

function positionIn(starts: readonly number[], offset: number): { readonly line: number; readonly column: number } {
  let low = 0;
  let high = starts.length;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if ((starts[middle] ?? 0) <= offset) low = middle;
    else high = middle;
  }
  return { line: low + 1, column: offset - (starts[low] ?? 0) + 1 };
}

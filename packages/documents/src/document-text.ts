import type { DocumentProblem } from "./document-problem.ts";

/** Most problems of one text that are told; whoever mends these sees the next ones then. */
export const maxProblems = 100;

/** The text that documents are read from: what it is called, and the problems found in it so far. */
export interface DocumentText {
  readonly file: string;
  readonly problems: readonly DocumentProblem[];
  /** Notes a problem at an offset into the text. */
  report(problem: { readonly offset: number; readonly path: string; readonly message: string }): void;
}

/** A text without problems yet. */
export function createDocumentText(text: string, file: string): DocumentText {
  const problems: DocumentProblem[] = [];
  return {
    file,
    problems,
    report({ offset, path, message }) {
      if (problems.length >= maxProblems) return;
      problems.push({ file, path, message, ...positionAt(text, Math.min(Math.max(offset, 0), text.length)) });
    },
  };
}

/** Problems are few, so nothing is prepared for them. A line ends with its line feed, and CR LF is one end. */
function positionAt(text: string, offset: number): { readonly line: number; readonly column: number } {
  let line = 1;
  let lineStart = 0;
  for (let next = text.indexOf("\n"); next >= 0 && next < offset; next = text.indexOf("\n", next + 1)) {
    line += 1;
    lineStart = next + 1;
  }
  return { line, column: offset - lineStart + 1 };
}

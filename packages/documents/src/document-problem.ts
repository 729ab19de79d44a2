/** A place in a file. */
export type DocumentPosition = {
  /** The file as the reader was told it is called. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 code units. */
  readonly column: number;
};

/** Something wrong with a document, and where. */
export type DocumentProblem = DocumentPosition & {
  /** The field, such as `caCertificates[0].pem`; empty for the document as a whole. */
  readonly path: string;
  /** What is wrong, for people. */
  readonly message: string;
};

/**
 * Returns a problem as one line of text, as editors and terminals understand it.
 * @example
 * ```ts
 * import { describeProblem } from "@signet/documents";
 * describeProblem({ file: "mesh.yaml", path: "trustDomain", message: "is not text", line: 3, column: 14 });
 * // "mesh.yaml:3:14: trustDomain is not text"
 * ```
 */
export function describeProblem({ file, path, message, line, column }: DocumentProblem): string {
  return `${file}:${line}:${column}: ${path === "" ? "" : `${path} `}${message}`;
}

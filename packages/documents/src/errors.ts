/** What is wrong with what a person wrote beside documents. */
export type DocumentsErrorCode = "workload-malformed";

/**
 * The one error class of this package; `code` is closed, `message` is for people. Faults of documents are no errors: they
 * are returned as problems with their places.
 * @example
 * ```ts
 * import { DocumentsError, parseWorkload } from "@signet/documents";
 * try {
 *   parseWorkload("Foo/app=httpbin");
 * } catch (error) {
 *   if (error instanceof DocumentsError) error.code; // "workload-malformed"
 * }
 * ```
 */
export class DocumentsError extends Error {
  override readonly name = "DocumentsError";
  readonly code: DocumentsErrorCode;

  constructor(code: DocumentsErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

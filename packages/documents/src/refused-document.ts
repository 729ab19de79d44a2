import { type Attachment, readAttachment } from "./attachment.ts";
import type { DocumentNode } from "./document-node.ts";
import type { DocumentPosition, DocumentProblem } from "./document-problem.ts";
import type { DocumentText } from "./document-text.ts";
import { createFieldReader } from "./field-reader.ts";
import { isDnsLabel } from "./workload.ts";

/**
 * A document that cannot be used, why, and what can still be told of it: which one it is, so that its last good version can
 * stay, and whom it is meant for. What is absent could not be read. What it is meant for is never less than what it says.
 */
export type RefusedDocument = Attachment & {
  readonly kind?: string;
  readonly namespace?: string;
  readonly name?: string;
  /** At least one and at most 100, in the order of the text. */
  readonly problems: readonly DocumentProblem[];
  readonly position: DocumentPosition;
};

/**
 * Where a document that is refused was read, and what namespace it has when it names none: none where it could not be read
 * as YAML, because then what is not found may have been written all the same.
 */
export type Refusal = { readonly about: DocumentText; readonly offset: number; readonly namespace?: string };

/** Returns the record of a document that is refused for the problems noted in `about`. */
export function refuseDocument(node: DocumentNode | undefined, { about, offset, namespace }: Refusal): RefusedDocument {
  const problems = [...about.problems].sort((one, other) => one.line - other.line || one.column - other.column);
  const position = about.position(offset);
  if (node?.kind !== "map") return { problems, position, targetRefs: [] };
  // Whatever is wrong has been said, so that what this reader says goes nowhere.
  const root = createFieldReader(node, { path: "", about: about.fresh(), exact: true });
  const metadata = root.map("metadata");
  const spec = root.map("spec");
  const kind = root.text("kind");
  const name = metadata?.text("name");
  const found = metadata?.holds("namespace") === true ? metadata.text("namespace") : "";
  const known = found === "" && metadata !== undefined ? namespace : found;
  return {
    ...(spec === undefined || namespace === undefined ? { targetRefs: [] } : readAttachment(spec)),
    ...(kind !== undefined && { kind }),
    ...(name !== undefined && { name }),
    ...(known !== undefined && isDnsLabel(known) && { namespace: known }),
    problems,
    position,
  };
}

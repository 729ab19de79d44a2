import { type Attachment, readAttachment, readSelector } from "./attachment.ts";
import { type AuthorizationAction, actionNamed, dryRunOf } from "./authorization-policy.ts";
import type { DocumentNode } from "./document-node.ts";
import type { DocumentPosition, DocumentProblem } from "./document-problem.ts";
import type { DocumentText } from "./document-text.ts";
import { createFieldReader, type FieldReader } from "./field-reader.ts";
import { isDnsLabel } from "./workload.ts";

/**
 * A document that cannot be used, why, and what can still be told of it: which one it is, so that its last good version can
 * stay, and whom it is meant for. What is absent could not be read. What it is meant for is never less than what it says.
 */
export type RefusedDocument = Attachment & {
  /** A kind that is read, or one of another group; absent where it may have been meant for one that is read. */
  readonly kind?: string;
  readonly namespace?: string;
  readonly name?: string;
  /** Of an AuthorizationPolicy, if it says one that there is, or none and so ALLOW. */
  readonly action?: AuthorizationAction;
  /** Whether an AuthorizationPolicy would have been watched and not enforced. */
  readonly dryRun?: boolean;
  /** It is meant for targets that could not be read, or nothing is known of whom it is meant for. */
  readonly targetsUnknown?: true;
  /** At least one and at most 100, in the order of the text. */
  readonly problems: readonly DocumentProblem[];
  readonly position: DocumentPosition;
};

/**
 * Where a document that is refused was read, and what namespace it has when it names none: none where it could not be read
 * as YAML, because then what is not found may have been written all the same.
 */
export type Refusal = {
  readonly about: DocumentText;
  readonly offset: number;
  readonly namespace?: string;
  /** What it is where it need not say so itself, as in a list of one kind. */
  readonly kind?: string | undefined;
};

/** Returns the record of a document that is refused for the problems noted in `about`. */
export function refuseDocument(node: DocumentNode | undefined, refusal: Refusal): RefusedDocument {
  const { about, offset, namespace } = refusal;
  const problems = [...about.problems].sort((one, other) => one.line - other.line || one.column - other.column);
  const position = about.position(offset);
  if (node?.kind !== "map") {
    return { problems, position, ...unknownTargets, ...(refusal.kind !== undefined && { kind: refusal.kind }) };
  }
  // Whatever is wrong has been said, so that what this reader says goes nowhere.
  const root = createFieldReader(node, { path: "", about: about.fresh(), exact: true });
  const metadata = root.map("metadata");
  const kind = kindOf(root, refusal.kind);
  const name = metadata?.text("name");
  const found = metadata?.holds("namespace") === true ? metadata.text("namespace") : "";
  const known = found === "" && metadata !== undefined ? namespace : found;
  return {
    ...(namespace === undefined ? unknownTargets : readSpec(root, kind)),
    ...(kind !== undefined && { kind }),
    ...(name !== undefined && { name }),
    ...(known !== undefined && isDnsLabel(known) && { namespace: known }),
    problems,
    position,
  };
}

const kindsRead: readonly string[] = ["RequestAuthentication", "AuthorizationPolicy", "PeerAuthentication"];

/** A kind with a typo, and a list that cannot be taken apart, may be any: who decides requests has to fear the worst. */
function kindOf(root: FieldReader, listed: string | undefined): string | undefined {
  const kind = root.text("kind") ?? listed;
  if (kind === undefined || kindsRead.includes(kind)) return kind;
  const apiVersion = root.text("apiVersion") ?? "";
  const isOther = apiVersion !== "" && !apiVersion.startsWith("security.istio.io/") && kind !== "List";
  return isOther ? kind : undefined;
}

type ReadSpec = Attachment & Pick<RefusedDocument, "action" | "dryRun" | "targetsUnknown">;

const unknownTargets = { targetRefs: [], targetsUnknown: true } as const;

function readSpec(root: FieldReader, kind: string | undefined): ReadSpec {
  const spec = root.map("spec");
  if (spec === undefined) return root.holds("spec") ? unknownTargets : { targetRefs: [] };
  if (kind === "PeerAuthentication") {
    const selector = readSelector(spec);
    return { targetRefs: [], ...(selector !== undefined && { selector }) };
  }
  const attachment = readTargets(spec);
  if (kind !== "AuthorizationPolicy") return attachment;
  const action = spec.holds("action") ? actionNamed(spec.text("action") ?? "") : "ALLOW";
  const dryRun = dryRunOf(root.map("metadata")?.map("annotations"));
  return {
    ...attachment,
    ...(action !== undefined && { action }),
    ...(dryRun !== undefined && { dryRun }),
  };
}

function readTargets(spec: FieldReader): Attachment & Pick<RefusedDocument, "targetsUnknown"> {
  const attachment = readAttachment(spec);
  const wantsTargets = spec.holds("targetRef") || spec.holds("targetRefs");
  return wantsTargets && attachment.targetRefs.length === 0 ? { ...attachment, targetsUnknown: true } : attachment;
}

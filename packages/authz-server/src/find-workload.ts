import type { AttributedRequest } from "@signet/authorizer";
import { type Document, DocumentsError, parseWorkload, type RefusedDocument, type Workload } from "@signet/documents";

/** How a request is known to be of a workload. */
export type WorkloadRules = {
  /** Of requests that do not say; undefined for nobody. */
  readonly defaultWorkload: Workload | undefined;
  /** By the SPIFFE ID of the destination's certificate. */
  readonly byPrincipal: ReadonlyMap<string, Workload>;
};

/** A workload, or why nobody can tell which it is. */
export type FoundWorkload =
  | { readonly kind: "found"; readonly workload: Workload }
  | { readonly kind: "unknown"; readonly why: string };

/** What the route may say of the workload, as `foo/app=httpbin`. */
export const workloadExtension = "workload";

const maxCached = 10_000;

/** Finds the workload that a request is for. */
export type FindWorkload = (request: AttributedRequest) => FoundWorkload;

/**
 * Returns what finds workloads: by the context extension `workload`, then by the principal of the destination, then the default.
 *
 * A destination whose labels nobody has told is known by its namespace only, which is enough as long as no document looks at
 * labels there: which of these apply cannot be guessed, and a DENY must not be missed.
 */
export function createFindWorkload(
  rules: WorkloadRules,
  documents: () => {
    readonly documents: readonly Document[];
    readonly refused: readonly RefusedDocument[];
    readonly rootNamespace: string;
  },
): FindWorkload {
  const parsed = new Map<string, FoundWorkload>();
  const fromText = (text: string): FoundWorkload => {
    const known = parsed.get(text);
    if (known !== undefined) return known;
    const found = parse(text);
    if (parsed.size >= maxCached) parsed.clear();
    parsed.set(text, found);
    return found;
  };
  return ({ contextExtensions, destination }) => {
    const written = contextExtensions.get(workloadExtension);
    if (written !== undefined) return fromText(written);
    const { principal } = destination;
    const mapped = principal === undefined ? undefined : rules.byPrincipal.get(principal);
    const workload = mapped ?? rules.defaultWorkload;
    if (workload !== undefined) return { kind: "found", workload };
    return principal === undefined
      ? {
          kind: "unknown",
          why: "it has no context extension `workload`, no destination principal, and there is no default",
        }
      : byNamespace(principal, documents());
  };
}

function parse(text: string): FoundWorkload {
  try {
    return { kind: "found", workload: parseWorkload(text) };
  } catch (error) {
    if (!(error instanceof DocumentsError)) throw error;
    return { kind: "unknown", why: `its context extension is not valid: ${error.message}` };
  }
}

function byNamespace(
  principal: string,
  { documents, refused, rootNamespace }: ReturnType<Parameters<typeof createFindWorkload>[1]>,
): FoundWorkload {
  const namespace = /^spiffe:\/\/[^/]+\/ns\/([^/]+)\/sa\/[^/]+$/.exec(principal)?.[1];
  const found = namespace === undefined ? undefined : parse(namespace);
  if (namespace === undefined || found?.kind !== "found")
    return { kind: "unknown", why: "its destination principal names no namespace" };
  const looksAtLabels = [...documents, ...refused].some(
    (document) =>
      (document.namespace === namespace || document.namespace === rootNamespace || document.namespace === undefined) &&
      ((document.selector?.matchLabels.size ?? 0) > 0 || document.targetRefs.length > 0),
  );
  return looksAtLabels
    ? { kind: "unknown", why: `its labels are not known, and documents of namespace ${namespace} look at labels` }
    : found;
}

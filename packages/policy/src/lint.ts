import type { Document, DocumentProblem, MeshConfig, RefusedDocument } from "@signet/documents";
import { checkPeers } from "./lint/check-peers.ts";
import { checkPolicies } from "./lint/check-policies.ts";
import { checkPrincipals } from "./lint/check-principals.ts";
import { checkReach } from "./lint/check-reach.ts";
import { checkTokens } from "./lint/check-tokens.ts";
import { checkValues } from "./lint/check-values.ts";
import { createLintContext } from "./lint/lint-context.ts";
import { findingOf, type LintFinding } from "./lint/lint-finding.ts";

/** Documents as they were read, and what was said of them then. */
export type DocumentsToLint = {
  readonly documents: readonly Document[];
  readonly refused?: readonly RefusedDocument[];
  readonly warnings?: readonly DocumentProblem[];
};

/** What is known besides: without a mesh config its defaults count, and what only it can tell is not looked at. */
export type LintOptions = { readonly meshConfig?: MeshConfig };

/**
 * Returns what a set of documents does that its authors will hardly have meant: rules that never match or never matter, what
 * is open by omission, and what Istio takes in silence; by file and place in it. An empty list says that none of what is
 * looked for was found, and no more than that.
 *
 * What a finding means and how bad it is stands in `lintCatalog`. Policies are looked at for all workloads that they could be
 * for; whether there is any is not known. Rules of more than 256 combinations of `from` and `to`, and more than 20000 rules of one
 * namespace and action, are not compared with others.
 * @example
 * ```ts
 * import { parseDocuments } from "@signet/documents";
 * import { lint } from "@signet/policy";
 * const parsed = parseDocuments("...", { file: "policies.yaml" });
 * for (const { id, severity, position, reason, fix } of lint(parsed)) {
 *   console.log(`${position.file}:${position.line}: ${severity}: ${reason}; ${fix} [${id}]`);
 * }
 * ```
 */
export function lint(
  { documents, refused = [], warnings = [] }: DocumentsToLint,
  { meshConfig }: LintOptions = {},
): readonly LintFinding[] {
  const findings: LintFinding[] = [...refused.flatMap(findingsOfRefused), ...warnings.flatMap(findingOfWarning)];
  const context = createLintContext(documents, meshConfig);
  for (const check of [checkValues, checkPrincipals, checkTokens, checkPeers, checkPolicies, checkReach]) {
    check(context, (place, remark) => findings.push(findingOf(place, remark)));
  }
  return findings.sort(compareFindings);
}

function findingsOfRefused({ kind, namespace, name, problems }: RefusedDocument): readonly LintFinding[] {
  const document =
    kind !== undefined && namespace !== undefined && name !== undefined ? { kind, namespace, name } : undefined;
  return problems.map(({ path, message, file, line, column }) => ({
    id: "document-refused",
    severity: "error",
    ...(document !== undefined && { document }),
    path,
    position: { file, line, column },
    reason: message,
    fix: "correct it: until then its last good version counts, or what it is for is denied",
  }));
}

/** What the checks say better is not said twice. */
function findingOfWarning({ path, message, file, line, column }: DocumentProblem): readonly LintFinding[] {
  if (message.includes("will deny all traffic to TCP ports")) return [];
  const position = { file, line, column };
  const fix = "write what is meant, so that nobody has to wonder";
  return [{ id: "document-warning", severity: "warning", path, position, reason: message, fix }];
}

function compareFindings(one: LintFinding, other: LintFinding): number {
  return (
    compareText(one.position.file, other.position.file) ||
    one.position.line - other.position.line ||
    one.position.column - other.position.column ||
    compareText(one.path, other.path) ||
    compareText(one.id, other.id)
  );
}

function compareText(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

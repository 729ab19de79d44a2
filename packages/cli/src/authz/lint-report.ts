import type { DocumentSet } from "@signet/authorizer";
import type { LintFinding, LintSeverity } from "@signet/policy";

/** How many findings there are of each severity. */
type Counts = Readonly<Record<LintSeverity, number>>;

/** Returns findings for a person: a line each as compilers write them, one with the fix, and how many there are. */
export function lintAsText(findings: readonly LintFinding[], set: DocumentSet): string {
  const lines = findings.flatMap(({ id, severity, document, path, position, reason, fix }) => {
    const about = document === undefined ? "" : `${document.kind} ${document.namespace}/${document.name} `;
    const where = path === "" ? "" : `${path} `;
    return [
      `${position.file}:${position.line}:${position.column}: ${severity}: ${about}${where}[${id}]`,
      `    ${reason}`,
      `    fix: ${fix}`,
    ];
  });
  const { error, warning, note } = countBySeverity(findings);
  const read = `${plural(set.documents.length + set.refused.length, "document")} in ${plural(set.fileCount, "file")}`;
  const found = `${plural(error, "error")}, ${plural(warning, "warning")}, ${plural(note, "note")}`;
  return `${[...lines, `${read}: ${findings.length === 0 ? "nothing found" : found}`].join("\n")}\n`;
}

/** Returns findings for a program: one JSON object with `findings` and `summary`. */
export function lintAsJson(findings: readonly LintFinding[], set: DocumentSet): string {
  const summary = {
    ...countBySeverity(findings),
    documents: set.documents.length,
    refused: set.refused.length,
    files: set.fileCount,
  };
  const shown = findings.map(({ document, ...finding }) => ({ ...finding, document: document ?? null }));
  return `${JSON.stringify({ findings: shown, summary }, undefined, 2)}\n`;
}

function countBySeverity(findings: readonly LintFinding[]): Counts {
  const of = (wanted: LintSeverity): number => findings.filter(({ severity }) => severity === wanted).length;
  return { error: of("error"), warning: of("warning"), note: of("note") };
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

import { isAbsolute, sep } from "node:path";
import { pathToFileURL } from "node:url";
import { type LintFinding, lintCatalog, lintIds } from "@signet/policy";
import { version } from "../version.ts";

/** Returns findings as a log of SARIF 2.1.0 with one run. */
export function lintAsSarif(findings: readonly LintFinding[]): string {
  const driver = {
    name: "signet authz lint",
    version,
    rules: lintIds.map((id) => ({
      id,
      shortDescription: { text: lintCatalog[id].summary },
      defaultConfiguration: { level: lintCatalog[id].severity },
    })),
  };
  const run = {
    tool: { driver },
    columnKind: "utf16CodeUnits",
    results: findings.map(resultOf),
  };
  const log = { $schema: "https://json.schemastore.org/sarif-2.1.0.json", version: "2.1.0", runs: [run] };
  return `${JSON.stringify(log, undefined, 2)}\n`;
}

function resultOf({ id, severity, document, path, position, reason, fix }: LintFinding): object {
  const region = { startLine: position.line, startColumn: position.column };
  const name = document === undefined ? "" : `${document.kind}/${document.namespace}/${document.name}`;
  const qualified = [name, path].filter((part) => part !== "").join("#");
  return {
    ruleId: id,
    ruleIndex: lintIds.indexOf(id),
    level: severity,
    message: { text: `${reason}. To mend it: ${fix}.` },
    locations: [
      {
        physicalLocation: { artifactLocation: { uri: uriOf(position.file) }, region },
        ...(qualified === "" ? {} : { logicalLocations: [{ fullyQualifiedName: qualified }] }),
      },
    ],
    // What stays when lines move: who shows findings tells new ones from old ones by it.
    partialFingerprints: { "signet/v1": [id, qualified === "" ? position.file : qualified].join(" ") },
  };
}

/** Relative to where the command ran, as the path itself is. */
function uriOf(file: string): string {
  if (isAbsolute(file)) return pathToFileURL(file).href;
  return file.split(sep).map(encodeURIComponent).join("/");
}

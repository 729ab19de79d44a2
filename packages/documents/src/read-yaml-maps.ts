import type { DocumentProblem } from "./document-problem.ts";
import { createDocumentText } from "./document-text.ts";
import { createFieldReader, type FieldReader } from "./field-reader.ts";
import { parseYaml } from "./parse-yaml.ts";

/** The maps in a YAML text. */
export type YamlMaps = {
  /** One for each document that is not empty. */
  readonly maps: readonly FieldReader[];
  /** What is wrong with the text, and what readers have noted until now. */
  problems(): readonly DocumentProblem[];
};

/**
 * Returns readers for the maps in a YAML or JSON text of another kind than Istio's, so that what is wrong with it is told with
 * path, file, line and column too. Names of fields are taken as they are written.
 *
 * YAML is read as that of documents is: 1.2, without tags and merge keys, at most 524288 characters and 200000 values.
 * @example
 * ```ts
 * import { describeProblem, readYamlMaps } from "@signet/documents";
 * const { maps, problems } = readYamlMaps("name: 5\n", { file: "cases.yaml" });
 * for (const map of maps) map.text("name");
 * problems().map(describeProblem); // ["cases.yaml:1:7: name is a number, and not text"]
 * ```
 */
export function readYamlMaps(text: string, { file }: { readonly file: string }): YamlMaps {
  const about = createDocumentText(text, file);
  const maps = parseYaml(text, about).flatMap((node) => {
    if (node.kind === "map") return [createFieldReader(node, { path: "", about, exact: true })];
    if (node.kind !== "null") about.report({ offset: node.offset, path: "", message: "is not a map of fields" });
    return [];
  });
  return { maps, problems: () => about.problems };
}

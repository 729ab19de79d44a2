import { readDocumentFiles } from "@signet/authorizer";
import { describeProblem, readYamlMaps, type Workload } from "@signet/documents";
import { readTestCases, type TestCase, testApiVersion, testKind } from "./test-case.ts";

/**
 * Returns the cases in a file, or in all files of a directory and those below it, in the order of the files. Throws an error of a
 * line for each problem, and when there is no case at all. Objects of other kinds are passed over.
 */
export async function readTests(path: string, workload: Workload | undefined): Promise<readonly TestCase[]> {
  const cases: TestCase[] = [];
  const problems: string[] = [];
  for (const file of (await readDocumentFiles(path)).files) {
    if (file.kind === "unreadable") {
      problems.push(`${file.name} cannot be read: ${file.why}`);
      continue;
    }
    // What is wrong with other documents is for others to tell.
    if (!file.text.includes(testKind)) continue;
    const { maps, problems: found } = readYamlMaps(file.text, { file: file.name });
    for (const map of maps) {
      if (map.json("kind") === testKind) cases.push(...readTest(map, workload));
    }
    problems.push(...found().map(describeProblem));
  }
  if (problems.length > 0) throw new Error(problems.join("\n"));
  if (cases.length === 0) throw new Error(`there is no case of an ${testKind} in ${path}`);
  return cases;
}

function readTest(map: Parameters<typeof readTestCases>[0], workload: Workload | undefined): readonly TestCase[] {
  if (map.json("apiVersion") !== testApiVersion) {
    map.report(`is not valid: an ${testKind} is of apiVersion ${testApiVersion}`, "apiVersion");
    return [];
  }
  return readTestCases(map, workload);
}

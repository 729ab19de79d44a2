import type { TestOutcome } from "./run-test-case.ts";

/** Returns the report for a person: cases by file, a diff and the reason for each that failed, and how many there are. */
export function testsAsText(outcomes: readonly TestOutcome[]): string {
  const byFile = Map.groupBy(outcomes, ({ test }) => test.position.file);
  const lines = [...byFile].flatMap(([file, inFile]) => [file, ...inFile.flatMap(describeOutcome)]);
  const failed = outcomes.filter(({ differences }) => differences.length > 0).length;
  lines.push(`${outcomes.length} cases: ${outcomes.length - failed} passed, ${failed} failed`);
  return `${lines.join("\n")}\n`;
}

function describeOutcome({ test, differences, sentence }: TestOutcome): readonly string[] {
  if (differences.length === 0) return [`  ✓ ${nameOf(test)}`];
  return [
    `  ✗ ${nameOf(test)} (line ${test.position.line})`,
    ...diffOf(differences).map((line) => `      ${line}`),
    `      ${sentence ?? ""}`,
  ];
}

/** Returns the report for a program: one JSON object with `cases` and `summary`. */
export function testsAsJson(outcomes: readonly TestOutcome[]): string {
  const cases = outcomes.map(({ test, actual, differences, sentence }) => ({
    ...{ suite: test.suite, name: test.name, position: test.position },
    ...{ passed: differences.length === 0, expected: test.expected, actual, sentence: sentence ?? null },
  }));
  const failed = cases.filter(({ passed }) => !passed).length;
  const summary = { cases: cases.length, passed: cases.length - failed, failed };
  return `${JSON.stringify({ cases, summary }, undefined, 2)}\n`;
}

/** Returns the report as JUnit's XML, a test suite for each file. */
export function testsAsJunit(outcomes: readonly TestOutcome[]): string {
  const isFailed = ({ differences }: TestOutcome): boolean => differences.length > 0;
  const suites = [...Map.groupBy(outcomes, ({ test }) => test.position.file)].map(([file, inFile]) => {
    const counts = `tests="${inFile.length}" failures="${inFile.filter(isFailed).length}" errors="0" skipped="0"`;
    return `  <testsuite name="${xml(file)}" ${counts}>\n${inFile.map(junitCase).join("")}  </testsuite>\n`;
  });
  const counts = `tests="${outcomes.length}" failures="${outcomes.filter(isFailed).length}" errors="0"`;
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="signet authz test" ${counts}>\n${suites.join("")}</testsuites>\n`;
}

function junitCase({ test, differences, sentence }: TestOutcome): string {
  const { file, line } = test.position;
  const open = `    <testcase name="${xml(test.name)}" classname="${xml(test.suite || file)}" file="${xml(file)}" line="${line}"`;
  if (differences.length === 0) return `${open}/>\n`;
  const text = xml(diffOf(differences).join("\n"));
  return `${open}>\n      <failure message="${xml(sentence ?? "")}" type="decision">${text}</failure>\n    </testcase>\n`;
}

function diffOf(differences: TestOutcome["differences"]): readonly string[] {
  return differences.flatMap(({ field, expected, actual }) => [`- ${field}: ${expected}`, `+ ${field}: ${actual}`]);
}

function nameOf({ suite, name }: TestOutcome["test"]): string {
  return suite === "" ? name : `${suite}: ${name}`;
}

const entities: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

/** XML 1.0 section 2.2 has no place for most control characters. */
function xml(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  const plain = text.replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "?");
  return plain.replaceAll(/[&<>"]/g, (character) => entities[character] ?? character);
}

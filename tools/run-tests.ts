import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "./workspace.ts";

type Step = { readonly name: string; readonly command: readonly string[] };
type Outcome = {
  readonly name: string;
  readonly passed: number;
  readonly failed: number;
  readonly seconds: number;
  /** Titles of what was skipped, with the reasons that they hold. */
  readonly skipped?: readonly string[];
};
/** What to run, in this order; the counts go to `<name>.counts`. */
type Plan = { readonly name: string; readonly checks: readonly Step[]; readonly suites: readonly string[] };

const checks: readonly Step[] = [
  { name: "check-layers", command: ["node", "tools/check-layers.ts"] },
  { name: "check-generated", command: ["node", "tools/check-generated.ts"] },
  { name: "check-doc-examples", command: ["node", "tools/check-doc-examples.ts"] },
  { name: "lint", command: ["biome", "ci", "--reporter=summary", "."] },
  { name: "typecheck", command: ["npm", "run", "--silent", "typecheck"] },
];

const counterparts: Step = { name: "counterparts", command: ["node", "tools/ensure-counterparts.ts"] };

/** `npm run check` is the checks alone; `npm run test:real` what runs against servers of others. */
function planFor(args: readonly string[]): Plan {
  if (args.includes("--real")) return { name: "test-real", checks: [counterparts], suites: ["real"] };
  return { name: "npm-test", checks, suites: args.includes("--checks") ? [] : ["unit", "fuzz", "e2e"] };
}

// .ci/run adds up what is here; below node_modules, so that git and the other tools pass it by.
const resultsDirectory = join(repositoryRoot, "node_modules/.cache/test-results");

/** Runs every check and every suite of the plan, one after the other, and returns the exit code: 0 only if all of it passed. */
async function runTests({ name, checks, suites }: Plan): Promise<number> {
  const countsFile = join(resultsDirectory, `${name}.counts`);
  mkdirSync(resultsDirectory, { recursive: true });
  rmSync(countsFile, { force: true });
  const outcomes: Outcome[] = [];
  for (const check of checks) {
    outcomes.push(await runCheck(check));
  }
  // Without its servers a suite would only say the same again, and build them once more to find out.
  const runnable = outcomes.some((one) => one.name === counterparts.name && one.failed > 0) ? [] : suites;
  for (const suite of runnable) {
    outcomes.push(await runSuite(suite));
  }
  const passed = sum(outcomes.map((outcome) => outcome.passed));
  const failed = sum(outcomes.map((outcome) => outcome.failed));
  writeFileSync(countsFile, `${passed} ${failed}\n`);
  process.stdout.write(`\n${[...outcomes.flatMap(skippedLines), ...outcomes.map(outcomeLine)].join("\n")}\n`);
  return failed === 0 && passed > 0 ? 0 : 1;
}

async function runCheck(check: Step): Promise<Outcome> {
  const { exitCode, seconds } = await run(check.name, check.command);
  return { name: check.name, passed: exitCode === 0 ? 1 : 0, failed: exitCode === 0 ? 0 : 1, seconds };
}

async function runSuite(suite: string): Promise<Outcome> {
  const report = join(resultsDirectory, `${suite}.json`);
  rmSync(report, { force: true });
  const { exitCode, seconds } = await run(`tests: ${suite}`, [
    ...["vitest", "run", "--project", suite],
    ...["--reporter=default", "--reporter=json", `--outputFile.json=${report}`],
  ]);
  const counts = readCounts(report);
  // A suite can fail with no failed test: an import that throws, an unhandled rejection, no tests at all.
  const failed = counts.failed === 0 && exitCode !== 0 ? 1 : counts.failed;
  return { name: `tests: ${suite}`, passed: counts.passed, failed, seconds, skipped: counts.skipped };
}

type Counts = { readonly passed: number; readonly failed: number; readonly skipped: readonly string[] };
type AssertionResult = { readonly status: string; readonly ancestorTitles: readonly string[]; readonly title: string };
type VitestReport = {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly testResults: readonly { readonly assertionResults: readonly AssertionResult[] }[];
};

function readCounts(report: string): Counts {
  try {
    const json: unknown = JSON.parse(readFileSync(report, "utf8"));
    const { numPassedTests, numFailedTests, testResults } = json as VitestReport;
    const skipped = testResults
      .flatMap(({ assertionResults }) => assertionResults)
      .filter(({ status }) => status === "skipped" || status === "pending")
      // The reason stands in the title of whatever was skipped as a whole.
      .map(({ ancestorTitles, title }) => ancestorTitles[0] ?? title);
    return { passed: numPassedTests, failed: numFailedTests, skipped };
  } catch {
    return { passed: 0, failed: 1, skipped: [] };
  }
}

async function run(name: string, command: readonly string[]): Promise<{ exitCode: number; seconds: number }> {
  process.stdout.write(`\n=== ${name}\n`);
  const started = performance.now();
  const [file = "", ...args] = command;
  const child = spawn(file, args, { cwd: repositoryRoot, stdio: ["ignore", "inherit", "inherit"], env: environment() });
  const { promise, resolve } = Promise.withResolvers<number>();
  child.once("error", (error) => {
    process.stdout.write(`${name}: ${error.message}\n`);
    resolve(1);
  });
  child.once("close", (code) => resolve(code ?? 1));
  return { exitCode: await promise, seconds: (performance.now() - started) / 1000 };
}

function environment(): NodeJS.ProcessEnv {
  const binaries = join(repositoryRoot, "node_modules/.bin");
  return {
    ...process.env,
    PATH: `${binaries}:${process.env.PATH ?? ""}`,
    TURBO_TELEMETRY_DISABLED: "1",
    DO_NOT_TRACK: "1",
    TURBO_NO_UPDATE_NOTIFIER: "1",
  };
}

function outcomeLine({ name, passed, failed, seconds }: Outcome): string {
  const verdict = failed === 0 ? "ok  " : "FAIL";
  return `${verdict} ${name.padEnd(20)} ${passed} passed, ${failed} failed, ${seconds.toFixed(1)} s`;
}

function skippedLines({ name, skipped = [] }: Outcome): readonly string[] {
  const count = (title: string): number => skipped.filter((one) => one === title).length;
  return [...new Set(skipped)].map((title) => `SKIP ${name}: ${title} (${count(title)})`);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

process.exitCode = await runTests(planFor(process.argv));

import { writeFile } from "node:fs/promises";
import { type Setting, type SettingsOf, setting } from "@signet/runtime";
import type { CommandIo } from "../input/command-io.ts";
import { remark, runCommand } from "../input/run-command.ts";
import { printable } from "../text/printable.ts";
import { decideSettings } from "./decide-settings.ts";
import { openAuthorizer } from "./open-authorizer.ts";
import { readTests } from "./read-test-cases.ts";
import { runTestCase, type TestOutcome } from "./run-test-case.ts";
import { testsAsJson, testsAsJunit, testsAsText } from "./test-report.ts";

const command = "signet authz test";
const summary =
  "Runs cases that are written as YAML beside the policies: a request, and what is to become of it. Exits 0 when every decision is\n" +
  "the expected one, 1 when one is not, with a diff and the reason, 2 for a command line or files that cannot be used.";

/** What `signet authz test` can be told. */
export const testSettings: typeof decideSettings & {
  readonly tests: Setting<string | undefined>;
  readonly junit: Setting<string | undefined>;
} = {
  ...decideSettings,
  tests: setting.text({
    flag: "tests",
    description: "a file with cases, or a directory; that of --policies unless given",
  }),
  junit: setting.text({ flag: "junit", description: "a file to write the report to as JUnit's XML, too" }),
};

/** Longest time for one case, in milliseconds: keys may have to be fetched. */
const deadlineMs = 30_000;

/**
 * Runs `signet authz test` and returns its exit code: 0 when every decision is the expected one, 1 when one is not, 2 for a
 * command line or files that cannot be used.
 */
export async function runAuthzTest(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  io: CommandIo,
): Promise<number> {
  return await runCommand({ command, summary }, testSettings, { args, env, io }, (values) => testAll(values, io));
}

async function testAll(values: SettingsOf<typeof testSettings>, io: CommandIo): Promise<0 | 1> {
  const open = await openAuthorizer(values);
  for (const line of open.remarks) remark(io, command, line);
  const tests = await readTests(values.tests ?? values.policies ?? "", values.workload);
  const outcomes: TestOutcome[] = [];
  for (const test of tests) outcomes.push(await runTestCase(test, open, AbortSignal.timeout(deadlineMs)));
  io.stdout.write(printable(values.json ? testsAsJson(outcomes) : testsAsText(outcomes)));
  if (values.junit !== undefined) await writeFile(values.junit, testsAsJunit(outcomes));
  return outcomes.every(({ differences }) => differences.length === 0) ? 0 : 1;
}

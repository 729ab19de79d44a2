import type { DocumentSet } from "@signet/authorizer";
import { isLintId, type LintFinding, type LintId, lint } from "@signet/policy";
import { type Setting, type SettingsOf, setting } from "@signet/runtime";
import type { CommandIo } from "../input/command-io.ts";
import { readMeshConfig } from "../input/read-mesh-config.ts";
import { runCommand } from "../input/run-command.ts";
import { printable } from "../text/printable.ts";
import { lintAsJson, lintAsText } from "./lint-report.ts";
import { lintAsSarif } from "./lint-sarif.ts";
import { policiesSettings } from "./policies-settings.ts";
import { readPolicies } from "./read-policies.ts";

const command = "signet authz lint";
const summary =
  "Finds in Istio's security documents what their authors will hardly have meant, each finding with its place, a reason and a\n" +
  "fix. Exits 0 when nothing is as bad as --fail-on, 1 when something is, 2 for a command line or files that cannot be used.";

const severities = ["error", "warning", "note"] as const;

/** What `signet authz lint` can be told. */
export const lintSettings: typeof policiesSettings & {
  readonly format: Setting<"text" | "json" | "sarif">;
  readonly json: Setting<boolean>;
  readonly failOn: Setting<"error" | "warning" | "note" | "never">;
  readonly disable: Setting<readonly string[]>;
} = {
  ...policiesSettings,
  format: setting.choice({
    flag: "format",
    choices: ["text", "json", "sarif"],
    default: "text",
    description: "for people, for programs, or SARIF 2.1.0 for whatever shows findings beside code",
  }),
  json: setting.bool({ flag: "json", default: false, description: "as --format json" }),
  failOn: setting.choice({
    flag: "fail-on",
    choices: [...severities, "never"],
    default: "error",
    description: "the mildest finding for which the exit code is 1",
  }),
  disable: setting.list({ flag: "disable", default: [], description: "ids of findings that are not wanted" }),
};

type LintValues = SettingsOf<typeof lintSettings>;

/**
 * Runs `signet authz lint` and returns its exit code: 0 when nothing was found that is as bad as `--fail-on`, 1 when something
 * was, 2 for a command line or files that cannot be used.
 */
export async function runAuthzLint(args: readonly string[], io: CommandIo): Promise<number> {
  return await runCommand({ command, summary }, lintSettings, { args, env: {}, io }, (values) => lintAll(values, io));
}

async function lintAll(values: LintValues, io: CommandIo): Promise<0 | 1> {
  const disabled = new Set(values.disable.map(readId));
  const meshConfig = values.meshConfig === undefined ? undefined : await readMeshConfig(values.meshConfig);
  const set = await readPolicies(values);
  const all = lint(set, meshConfig === undefined ? {} : { meshConfig });
  const findings = all.filter(({ id }) => !disabled.has(id));
  io.stdout.write(printable(render(findings, set, values)));
  const failing = values.failOn === "never" ? [] : severities.slice(0, severities.indexOf(values.failOn) + 1);
  return findings.some(({ severity }) => failing.includes(severity)) ? 1 : 0;
}

function readId(text: string): LintId {
  if (isLintId(text)) return text;
  throw new Error(
    `--disable: ${JSON.stringify(text.slice(0, 200))} is the id of no finding; see docs/authorization.md`,
  );
}

function render(findings: readonly LintFinding[], set: DocumentSet, { format, json }: LintValues): string {
  switch (json ? "json" : format) {
    case "json":
      return lintAsJson(findings, set);
    case "sarif":
      return lintAsSarif(findings);
    case "text":
      return lintAsText(findings, set);
  }
}

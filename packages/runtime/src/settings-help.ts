import type { Setting } from "./setting.ts";
import type { SettingsSpec } from "./settings.ts";

/**
 * The text of `--help`: usage, summary, and each setting with its flag, variable and default.
 * @example
 * ```ts
 * import { setting, settingsHelp } from "@signet/runtime";
 * const spec = { listen: setting.hostPort({ flag: "listen", default: { host: "::", port: 15012 }, description: "where to listen" }) };
 * settingsHelp(spec, { command: "signet ca", summary: "Runs the CA server." });
 * ```
 */
export function settingsHelp(
  spec: SettingsSpec,
  about: { readonly command: string; readonly summary: string },
): string {
  const lines = [
    `Usage: ${about.command} [flags]`,
    "",
    about.summary,
    "",
    "Flags (environment variables in brackets):",
  ];
  for (const one of Object.values(spec)) {
    const shown = shownDefault(one);
    lines.push(`  ${namesOf(one)}`);
    lines.push(`      ${one.description}${shown === "" ? "" : ` (default ${shown})`}`);
  }
  return `${lines.join("\n")}\n`;
}

/**
 * The same as a Markdown table with its heading: variable, flag, default, description.
 * @example
 * ```ts
 * import { setting, settingsTable } from "@signet/runtime";
 * settingsTable({ ttl: setting.duration({ env: "SECRET_TTL", default: 1000, description: "lifetime" }) });
 * ```
 */
export function settingsTable(spec: SettingsSpec): string {
  const rows = Object.values(spec).map((one) => {
    const shown = shownDefault(one);
    const cells = [code(one.env ?? ""), code(flagOf(one)), code(shown), one.description];
    return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  });
  return `${["| Variable | Flag | Default | Description |", "|---|---|---|---|", ...rows].join("\n")}\n`;
}

function namesOf(one: Setting<unknown>): string {
  const flag = flagOf(one);
  const variable = one.env === undefined ? "" : `[${one.env}]`;
  return [flag, variable].filter((part) => part !== "").join("  ");
}

function flagOf(one: Setting<unknown>): string {
  return one.flag === undefined ? "" : `--${one.flag} ${one.placeholder}`.trimEnd();
}

function shownDefault(one: Setting<unknown>): string {
  return one.secret ? "" : one.format(one.default);
}

function code(text: string): string {
  return text === "" ? "" : `\`${text}\``;
}

import { errorMessage, RuntimeError } from "./errors.ts";
import { type FlagUse, readFlags } from "./flags.ts";
import type { Setting } from "./setting.ts";

/** The settings of a process, by the name they have in the program. */
export type SettingsSpec = Readonly<Record<string, Setting<unknown>>>;

/** The values of a spec. */
export type SettingsOf<S extends SettingsSpec> = {
  readonly [K in keyof S]: S[K] extends Setting<infer T> ? T : never;
};

/** The values, the wish for help (which outranks any problem), or every problem there is. */
export type SettingsResult<S extends SettingsSpec> =
  | { readonly kind: "settings"; readonly values: SettingsOf<S> }
  | { readonly kind: "help" }
  | { readonly kind: "invalid"; readonly problems: readonly string[] };

/**
 * The settings of a process from its flags, else its environment, else their defaults.
 *
 * Reports every problem at once, each naming flag, variable and the value given, which is left out where the setting is secret.
 * Unknown flags and stray arguments are problems; other environment variables are not ours to judge. A variable set to the empty
 * text is the empty text (or list) where that overrides a default, else as good as unset; an empty flag is what it says.
 * Of a flag given twice the last counts, except that lists add up. `--help` and `-h` ask for help.
 * @throws RuntimeError `argument-invalid` when two settings of the spec have the same flag
 * @example
 * ```ts
 * import { parseSettings, setting } from "@signet/runtime";
 * const spec = {
 *   ttl: setting.duration({ env: "SECRET_TTL", flag: "secret-ttl", default: 86_400_000, description: "lifetime asked for" }),
 * };
 * const result = parseSettings(spec, { env: { SECRET_TTL: "1h" }, args: [] });
 * if (result.kind === "settings") result.values.ttl; // 3600000
 * ```
 */
export function parseSettings<S extends SettingsSpec>(
  spec: S,
  input: { readonly env: Readonly<Record<string, string | undefined>>; readonly args: readonly string[] },
): SettingsResult<S> {
  const line = readFlags(input.args, knownFlags(spec));
  if (line.help) return { kind: "help" };

  const problems = [...line.problems];
  const values: Record<string, unknown> = {};
  for (const [name, one] of Object.entries(spec)) {
    try {
      values[name] = valueFor(one, { env: input.env, uses: line.uses.filter((use) => use.flag === one.flag) });
    } catch (error) {
      problems.push(errorMessage(error));
    }
  }
  if (problems.length > 0) return { kind: "invalid", problems };
  // Every name of the spec now has what its own setting parsed.
  return { kind: "settings", values: values as SettingsOf<S> };
}

function knownFlags(spec: SettingsSpec): { readonly flags: ReadonlySet<string>; readonly bare: ReadonlySet<string> } {
  const flags = new Set<string>();
  const bare = new Set<string>();
  for (const { flag, kind } of Object.values(spec)) {
    if (flag === undefined) continue;
    if (flags.has(flag)) throw new RuntimeError("argument-invalid", `two settings have the flag --${flag}`);
    flags.add(flag);
    if (kind === "bool") bare.add(flag);
  }
  return { flags, bare };
}

function valueFor(
  one: Setting<unknown>,
  given: { readonly env: Readonly<Record<string, string | undefined>>; readonly uses: readonly FlagUse[] },
): unknown {
  if (given.uses.length > 0) return flagValue(one, given.uses);
  const text = one.env === undefined ? undefined : given.env[one.env];
  if (text === undefined) return one.default;
  if (text === "") return one.whenEmpty === undefined ? one.default : one.whenEmpty.value;
  return parseText(one, { text, from: "env" });
}

function flagValue(one: Setting<unknown>, uses: readonly FlagUse[]): unknown {
  if (uses.some((use) => use.text === undefined)) refuse(`${labelOf(one, "flag")}: its value is missing`);
  const texts = uses.map((use) => use.text ?? "");
  return parseText(one, { text: one.kind === "list" ? texts.join(",") : (texts.at(-1) ?? ""), from: "flag" });
}

function parseText(one: Setting<unknown>, given: { readonly text: string; readonly from: "env" | "flag" }): unknown {
  try {
    return one.parse(given.text);
  } catch (error) {
    const shown = one.secret ? "the value (not shown)" : JSON.stringify(cut(given.text));
    return refuse(`${labelOf(one, given.from)}: ${shown} ${errorMessage(error)}`);
  }
}

function refuse(problem: string): never {
  throw new RuntimeError("setting-invalid", problem);
}

/** Both names, the one that was used first: "SECRET_TTL (flag --secret-ttl)". */
function labelOf(one: Setting<unknown>, from: "env" | "flag"): string {
  const variable = one.env ?? "";
  const flag = one.flag === undefined ? "" : `--${one.flag}`;
  const [used, other, kind] = from === "env" ? [variable, flag, "flag"] : [flag, variable, "variable"];
  return other === "" ? used : `${used} (${kind} ${other})`;
}

function cut(text: string): string {
  return text.length <= 200 ? text : `${text.slice(0, 200)}...`;
}

import type { SettingsSpec } from "@signet/runtime";

/** A command line taken apart: flags with their values, and the words that are neither. */
export type SplitLine = { readonly flags: readonly string[]; readonly words: readonly string[] };

/** Splits a command line whose flags are those of `spec`; a flag of another name is left with the flags, to be refused there. */
export function splitPositional(args: readonly string[], spec: SettingsSpec): SplitLine {
  const bare = new Set(
    Object.values(spec).flatMap(({ kind, flag }) => (kind === "bool" && flag !== undefined ? [flag] : [])),
  );
  const flags: string[] = [];
  const words: string[] = [];
  const queue = [...args];
  for (let arg = queue.shift(); arg !== undefined; arg = queue.shift()) {
    if (!arg.startsWith("--") && arg !== "-h") {
      words.push(arg);
      continue;
    }
    flags.push(arg);
    const name = arg.slice(2);
    const takesValue = arg !== "-h" && name !== "help" && !arg.includes("=") && !bare.has(name);
    const value = queue[0];
    if (takesValue && value !== undefined && !value.startsWith("--")) flags.push(queue.shift() ?? "");
  }
  return { flags, words };
}

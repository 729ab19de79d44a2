import { errorMessage, parseSettings, type SettingsOf, type SettingsSpec, settingsHelp } from "@signet/runtime";
import { printable } from "../text/printable.ts";
import type { CommandOutput } from "./command-io.ts";

/** What a command is called, with the words it takes beside its flags, and what `--help` says of it. */
export type CommandAbout = { readonly command: string; readonly words?: string; readonly summary: string };

/** Where a command's settings come from and where it writes. */
export type CommandInput = {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly io: CommandOutput;
};

/**
 * Reads the settings of a command, runs it with them and returns its exit code: 0 with the help on standard output when that is
 * asked for; 2 with a line on standard error for each problem with the settings, or for each line of what `run` throws.
 */
export async function runCommand<S extends SettingsSpec>(
  about: CommandAbout,
  settings: S,
  { args, env, io }: CommandInput,
  run: (values: SettingsOf<S>) => Promise<number>,
): Promise<number> {
  const { command, words, summary } = about;
  const parsed = parseSettings(settings, { args, env });
  switch (parsed.kind) {
    case "help":
      io.stdout.write(
        settingsHelp(settings, { command: words === undefined ? command : `${command} ${words}`, summary }),
      );
      return 0;
    case "invalid":
      return complain(io, command, parsed.problems);
    case "settings":
      break;
  }
  try {
    return await run(parsed.values);
  } catch (error) {
    return complain(io, command, errorMessage(error).split("\n"));
  }
}

/** Tells each problem, and returns the exit code for a command line or files that cannot be used. */
export function complain(io: CommandOutput, command: string, problems: readonly string[]): 2 {
  for (const problem of problems) remark(io, command, problem);
  return 2;
}

/** Writes a line to standard error, after the name of the command. */
export function remark(io: Pick<CommandOutput, "stderr">, command: string, line: string): void {
  io.stderr.write(printable(`${command}: ${line}\n`));
}

import { findCommand, signetHelp } from "./commands.ts";

/**
 * Runs one `signet` command line and returns its exit code: 0 done, 1 failed, 2 not understood.
 * @example
 * ```ts
 * import { runSignet } from "@signet/cli";
 * process.exitCode = await runSignet(["version"], process.env);
 * ```
 */
export async function runSignet(args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined) {
    process.stderr.write(signetHelp());
    return 2;
  }
  if (name === "--help" || name === "-h" || name === "help") {
    process.stdout.write(signetHelp());
    return 0;
  }
  const command = findCommand(name);
  if (command === undefined) {
    process.stderr.write(`signet: ${JSON.stringify(name)} is not a command; see \`signet --help\`\n`);
    return 2;
  }
  return await command.run(rest, env);
}

import { findCommand, signetHelp, subcommandsOf } from "./commands.ts";

/**
 * Runs one `signet` command line and returns its exit code: 0 done, 1 failed, 2 not understood.
 * @example
 * ```ts
 * import { runSignet } from "@signet/cli";
 * process.exitCode = await runSignet(["version"], process.env);
 * ```
 */
export async function runSignet(args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const [name] = args;
  if (name === undefined) {
    process.stderr.write(signetHelp());
    return 2;
  }
  if (name === "--help" || name === "-h" || name === "help") {
    process.stdout.write(signetHelp());
    return 0;
  }
  const found = findCommand(args);
  if (found !== undefined) return await found.command.run(found.args, env);
  const others = subcommandsOf(name);
  const hint =
    others.length === 0 ? "see `signet --help`" : `there is ${others.map((one) => `\`signet ${one}\``).join(" and ")}`;
  process.stderr.write(
    `signet: ${JSON.stringify(args.slice(0, others.length === 0 ? 1 : 2).join(" "))} is not a command; ${hint}\n`,
  );
  return 2;
}

import type { CommandIo } from "../input/command-io.ts";
import { splitPositional } from "../input/positional.ts";
import { readToken } from "../input/read-token.ts";
import { runCommand } from "../input/run-command.ts";
import { explanationAsJson, explanationAsText, isAccepted } from "./explain-report.ts";
import { explainRules } from "./explain-rules.ts";
import { jwtSettings } from "./jwt-settings.ts";
import { type JwtValues, openRules } from "./open-rules.ts";

const command = "signet jwt explain";
const summary =
  "Says in sentences what each rule of RequestAuthentications makes of the token in <file> (- for standard input), and what\n" +
  "becomes of a request that bears it. The token's signature is not shown. Keys are those of the rules, of --jwks, or are\n" +
  "fetched. Exits 0 when the token is accepted, 1 when it is not, 2 for a command line or files that cannot be used.";

/** Longest time for all rules, in milliseconds: keys may have to be fetched. */
const deadlineMs = 60_000;

/**
 * Runs `signet jwt explain` and returns its exit code: 0 when the token is accepted, 1 when it is not, 2 for a command line or
 * files that cannot be used.
 */
export async function runJwtExplain(args: readonly string[], io: CommandIo): Promise<number> {
  const { flags, words } = splitPositional(args, jwtSettings);
  return await runCommand({ command, words: "<file>", summary }, jwtSettings, { args: flags, env: {}, io }, (values) =>
    explain(words, values, io),
  );
}

async function explain([file, second]: readonly string[], values: JwtValues, io: CommandIo): Promise<0 | 1> {
  if (file === undefined) throw new Error("the file that holds the token is missing; - is standard input");
  if (second !== undefined) throw new Error("more than one file is given");
  const open = await openRules(values, io, command);
  const token = await readToken(file, io);
  const explanation = await explainRules(token, open, AbortSignal.timeout(deadlineMs));
  io.stdout.write(values.json ? explanationAsJson(explanation) : explanationAsText(explanation, file));
  return isAccepted(explanation) ? 0 : 1;
}

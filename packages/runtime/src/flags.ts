/** A flag as it was given; `text` undefined means that its value is missing. */
export type FlagUse = { readonly flag: string; readonly text: string | undefined };

/** What a command line holds. */
export type CommandLine = {
  readonly uses: readonly FlagUse[];
  readonly help: boolean;
  readonly problems: readonly string[];
};

/**
 * Reads `--flag value`, `--flag=value` and, for the flags in `bare`, `--flag` alone, which is true.
 *
 * What follows an unknown flag is taken for its value and not repeated in a problem: it may be a secret with a typo in its flag.
 */
export function readFlags(
  args: readonly string[],
  known: { readonly flags: ReadonlySet<string>; readonly bare: ReadonlySet<string> },
): CommandLine {
  const uses: FlagUse[] = [];
  const problems: string[] = [];
  let help = false;
  const queue = [...args];
  for (let arg = queue.shift(); arg !== undefined; arg = queue.shift()) {
    if (arg === "--help" || arg === "-h") {
      help = true;
    } else if (!arg.startsWith("--") || arg === "--") {
      problems.push(`unexpected argument ${JSON.stringify(arg.slice(0, 100))}`);
    } else {
      const use = readFlag(arg, known.bare, queue);
      if (known.flags.has(use.flag)) uses.push(use);
      else problems.push(`unknown flag --${use.flag.slice(0, 100)}`);
    }
  }
  return { uses, help, problems };
}

/** Takes the value of a flag off the queue where it has none of its own. */
function readFlag(arg: string, bare: ReadonlySet<string>, queue: string[]): FlagUse {
  const equals = arg.indexOf("=");
  if (equals >= 0) return { flag: arg.slice(2, equals), text: arg.slice(equals + 1) };
  const flag = arg.slice(2);
  if (bare.has(flag)) return { flag, text: "true" };
  // A value may begin with one dash (a negative number), a flag with two.
  const hasValue = queue[0] !== undefined && !queue[0].startsWith("--");
  return { flag, text: hasValue ? queue.shift() : undefined };
}

/** How a line is meant; on a terminal each has its colour. */
export type Tone = "plain" | "good" | "bad" | "quiet";

/** Tells a person what happens, line by line, each with the seconds since the start. */
export interface Timeline {
  say(text: string, tone?: Tone): void;
  /** A line by itself, with an empty one below. */
  title(text: string): void;
}

/** Where a timeline is written. */
export type TimelineOptions = {
  readonly write: (text: string) => void;
  readonly colour: boolean;
  /** Seconds since the start. */
  readonly elapsed: () => number;
};

const colours: Readonly<Record<Tone, string>> = { plain: "", good: "\x1b[32m", bad: "\x1b[31m", quiet: "\x1b[2m" };
const reset = "\x1b[0m";

/** Returns a timeline that writes one line for each `say`. */
export function createTimeline({ write, colour, elapsed }: TimelineOptions): Timeline {
  const paint = (text: string, tone: Tone): string =>
    colour && tone !== "plain" ? colours[tone] + text + reset : text;
  return {
    title: (text) => write(`${text}\n\n`),
    say(text, tone = "plain") {
      const time = paint(`${elapsed().toFixed(1).padStart(6)} s`, "quiet");
      // What follows the first line of a text stands under it.
      write(`${time}  ${paint(text.replaceAll("\n", `\n${" ".repeat(10)}`), tone)}\n`);
    },
  };
}

/** Whether to write colours: on a terminal that has some, unless NO_COLOR is set to anything (no-color.org). */
export function wantsColour(
  stream: { readonly isTTY?: boolean },
  env: Readonly<Record<string, string | undefined>>,
): boolean {
  return stream.isTTY === true && !env.NO_COLOR && env.TERM !== "dumb";
}

import { describe, expect, test } from "vitest";
import { createTimeline, wantsColour } from "./timeline.ts";

function lines(colour: boolean): string {
  let written = "";
  const write = (text: string): void => {
    written += text;
  };
  const timeline = createTimeline({ write, colour, elapsed: () => Math.PI });
  timeline.say("first\nsecond", "good");
  return written;
}

describe("createTimeline", () => {
  test("puts the seconds before the text, and further lines under it", () => {
    expect(lines(false)).toBe("   3.1 s  first\n          second\n");
  });

  test("paints only when asked to", () => {
    expect(lines(false)).not.toContain("\x1b[");
    expect(lines(true)).toContain("\x1b[32mfirst");
  });
});

describe("wantsColour", () => {
  test.each([
    ["a terminal", { isTTY: true }, {}, true],
    ["no terminal", {}, {}, false],
    ["NO_COLOR", { isTTY: true }, { NO_COLOR: "1" }, false],
    ["an empty NO_COLOR", { isTTY: true }, { NO_COLOR: "" }, true],
    ["a dumb terminal", { isTTY: true }, { TERM: "dumb" }, false],
  ])("%s", (_name, stream, env, expected) => {
    expect(wantsColour(stream, env)).toBe(expected);
  });
});

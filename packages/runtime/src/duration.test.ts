import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatDuration, parseDuration } from "./duration.ts";

// What Go's time.ParseDuration and Duration.String give for the same input.
const texts: readonly [text: string, ms: number, printed: string][] = [
  ["0", 0, "0s"],
  ["+0", 0, "0s"],
  ["-0", 0, "0s"],
  ["0s", 0, "0s"],
  ["24h", 86_400_000, "24h0m0s"],
  ["2160h", 7_776_000_000, "2160h0m0s"],
  ["87600h", 315_360_000_000, "87600h0m0s"],
  ["1m30s", 90_000, "1m30s"],
  ["90s", 90_000, "1m30s"],
  ["100ms", 100, "100ms"],
  ["1h1ms", 3_600_001, "1h0m0.001s"],
  ["1.5h", 5_400_000, "1h30m0s"],
  ["1.5s", 1_500, "1.5s"],
  [".5s", 500, "500ms"],
  ["5.s", 5_000, "5s"],
  ["-1h30m", -5_400_000, "-1h30m0s"],
  ["+5s", 5_000, "5s"],
  ["1us", 0.001, "1\u00b5s"],
  ["1\u00b5s", 0.001, "1\u00b5s"],
  ["1\u03bcs", 0.001, "1\u00b5s"],
  ["1500ns", 0.0015, "1.5\u00b5s"],
  ["1ns", 0.000001, "1ns"],
  ["0.1ns", 0, "0s"],
  ["1s1s", 2_000, "2s"],
];

describe("parseDuration", () => {
  it.each(texts)("reads %s as %d ms, which prints as %s", (text, ms, printed) => {
    expect(parseDuration(text)).toBe(ms);
    expect(formatDuration(ms)).toBe(printed);
  });

  it("reads the largest duration of Go and nothing above it", () => {
    expect(parseDuration("2562047h47m16.854775807s")).toBeCloseTo(9_223_372_036_854.775, 2);
    expect(() => parseDuration("2562047h47m16.854775808s")).toThrow(
      expect.objectContaining({ code: "duration-malformed" }),
    );
  });

  it.each([
    "",
    "-",
    "5",
    "s",
    ".s",
    "1d",
    "1 s",
    " 1s",
    "1s ",
    "1,5s",
    "--1s",
    "1s-1s",
    "1e3s",
    "0x1s",
    "1S",
    "Infinitys",
    "99999999999999h",
    `${"1s".repeat(40)}`,
  ])("refuses %j", (text) => {
    expect(() => parseDuration(text)).toThrow(expect.objectContaining({ code: "duration-malformed" }));
  });
});

describe("formatDuration", () => {
  it.each([
    [Number.NaN, "NaN"],
    [Number.POSITIVE_INFINITY, "Infinity"],
    [2 ** 63 * 1_000, "2562047788015215h30m8s"],
    [1e-9, "0s"],
  ])("prints %d in a message without failing", (ms, printed) => {
    expect(formatDuration(ms)).toBe(printed);
  });

  it("prints what parses back to the same number", () => {
    const maxMs = 9_223_372_036_854;
    const wholeMs = fc.integer({ min: -maxMs, max: maxMs });
    const fineMs = fc.integer({ min: -(10 ** 12), max: 10 ** 12 }).map((nanoseconds) => nanoseconds / 1e6);
    fc.assert(
      fc.property(fc.oneof(wholeMs, fineMs), (ms) => {
        expect(parseDuration(formatDuration(ms))).toBeCloseTo(ms, 6);
        if (Number.isInteger(ms)) expect(parseDuration(formatDuration(ms))).toBe(ms === 0 ? 0 : ms);
      }),
    );
  });
});

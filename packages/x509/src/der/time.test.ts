import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeTime, parseTime } from "./time.ts";

const parse = (text: string): string | undefined => {
  const bytes = Buffer.from(text, "latin1");
  const milliseconds = parseTime(bytes, { start: 0, end: bytes.length, generalized: text.length >= 15 });
  return milliseconds === undefined ? undefined : new Date(milliseconds).toISOString();
};

describe("parseTime (RFC 5280 section 4.1.2.5)", () => {
  it.each([
    ["260228235959Z", "2026-02-28T23:59:59.000Z"],
    ["240229000000Z", "2024-02-29T00:00:00.000Z"],
    ["500101000000Z", "1950-01-01T00:00:00.000Z"],
    ["491231235959Z", "2049-12-31T23:59:59.000Z"],
    ["20500101000000Z", "2050-01-01T00:00:00.000Z"],
    ["99991231235959Z", "9999-12-31T23:59:59.000Z"],
    ["00010101000000Z", "0001-01-01T00:00:00.000Z"],
  ])("reads %s", (text, expected) => {
    expect(parse(text)).toBe(expected);
  });

  it.each([
    ["no seconds", "2602282359Z"],
    ["an offset", "260228235959+0000"],
    ["no zone", "260228235959"],
    ["a lower-case zone", "260228235959z"],
    ["fractions", "20260228235959.5Z"],
    ["a day that is not there", "260229000000Z"],
    ["day zero", "260200000000Z"],
    ["month 13", "261301000000Z"],
    ["month zero", "260001000000Z"],
    ["hour 24", "260101240000Z"],
    ["minute 60", "260101006000Z"],
    ["a leap second", "261231235960Z"],
    ["a letter", "26010100000aZ"],
    ["a sign", "26-10100000 Z"],
    ["nothing", ""],
  ])("refuses %s", (_why, text) => {
    expect(parse(text)).toBeUndefined();
  });
});

describe("encodeTime", () => {
  it.each([
    ["2049-12-31T23:59:59.999Z", `170d${Buffer.from("491231235959Z").toString("hex")}`],
    ["2050-01-01T00:00:00.000Z", `180f${Buffer.from("20500101000000Z").toString("hex")}`],
    ["1950-01-01T00:00:00.000Z", `170d${Buffer.from("500101000000Z").toString("hex")}`],
    ["1949-12-31T23:59:59.000Z", `180f${Buffer.from("19491231235959Z").toString("hex")}`],
  ])("writes %s as UTCTime through 2049, else as GeneralizedTime", (instant, expected) => {
    expect(encodeTime(new Date(instant)).toHex()).toBe(expected);
  });

  it("property: an instant survives, to the second", () => {
    const instants = fc.date({ min: new Date("0001-01-01"), max: new Date("9999-12-31"), noInvalidDate: true });
    fc.assert(
      fc.property(instants, (instant) => {
        const der = encodeTime(instant);
        const read = parseTime(der, { start: 2, end: der.length, generalized: der[0] === 0x18 });
        expect(read).toBe(Math.floor(instant.getTime() / 1000) * 1000);
      }),
    );
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DerReader } from "./der-reader.ts";
import { tag } from "./tag.ts";
import { encodeValidity, parseGeneralizedTime, parseUtcTime } from "./time.ts";

const parse = (text: string): string | undefined => {
  const bytes = Buffer.from(`?${text}?`, "latin1");
  const parser = text.length >= 15 ? parseGeneralizedTime : parseUtcTime;
  const milliseconds = parser(bytes, 1, 1 + text.length);
  return milliseconds === undefined ? undefined : new Date(milliseconds).toISOString();
};

describe("parseUtcTime and parseGeneralizedTime (RFC 5280 section 4.1.2.5)", () => {
  it.each([
    ["260228235959Z", "2026-02-28T23:59:59.000Z"],
    ["240229000000Z", "2024-02-29T00:00:00.000Z"],
    ["20000229000000Z", "2000-02-29T00:00:00.000Z"],
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
    ["29 February of a year that is no leap year", "21000229000000Z"],
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

it("property: a day exists for the parser when it does for Date", () => {
  const part = (max: number) => fc.integer({ min: 0, max });
  fc.assert(
    fc.property(part(9999), part(13), part(32), (year, month, day) => {
      const text = `${String(year).padStart(4, "0")}-${String(month).padStart(2, "0")}-${String(day).padStart(2, "0")}`;
      const date = new Date(`${text}T00:00:00Z`);
      const exists = !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text);
      expect(parse(`${text.replaceAll("-", "")}000000Z`)).toBe(exists ? date.toISOString() : undefined);
    }),
    { numRuns: 2000 },
  );
});

describe("encodeValidity", () => {
  const ascii = (text: string): string => Buffer.from(text).toString("hex");
  const utc = `170d${ascii("260101000000Z")}`;

  it.each([
    ["2049-12-31T23:59:59.999Z", `301e${utc}170d${ascii("491231235959Z")}`],
    ["2050-01-01T00:00:00.000Z", `3020${utc}180f${ascii("20500101000000Z")}`],
    ["9999-12-31T23:59:59.000Z", `3020${utc}180f${ascii("99991231235959Z")}`],
    ["1950-01-01T00:00:00.000Z", `301e${utc}170d${ascii("500101000000Z")}`],
    ["1949-12-31T23:59:59.000Z", `3020${utc}180f${ascii("19491231235959Z")}`],
  ])("writes %s as UTCTime through 2049, else as GeneralizedTime", (instant, expected) => {
    expect(encodeValidity(new Date("2026-01-01T00:00:00Z"), new Date(instant)).toHex()).toBe(expected);
  });

  it("property: both instants survive, to the second", () => {
    const instants = fc.date({ min: new Date("0001-01-01"), max: new Date("9999-12-31"), noInvalidDate: true });
    fc.assert(
      fc.property(instants, instants, (notBefore, notAfter) => {
        const reader = new DerReader(encodeValidity(notBefore, notAfter), "csr-malformed");
        reader.enter(tag.sequence);
        for (const instant of [notBefore, notAfter]) {
          expect(reader.time()).toBe(Math.floor(instant.getTime() / 1000) * 1000);
        }
        reader.leave();
        reader.finish();
      }),
    );
  });
});

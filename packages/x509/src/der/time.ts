import { tag } from "./tag.ts";

const millisecondsIn400Years = 146_097 * 86_400_000;

/**
 * Returns milliseconds since 1970, or undefined unless the octets between `start` and `end` spell YYMMDDHHMMSSZ, an instant
 * that exists (RFC 5280 section 4.1.2.5.1).
 */
export function parseUtcTime(bytes: Uint8Array, start: number, end: number): number | undefined {
  const year = digitPair(bytes, start);
  // Two-digit years from 50 on belong to the twentieth century.
  return end - start === 13 ? parseRest(bytes, start + 2, year + (year >= 50 ? 1900 : 2000)) : undefined;
}

/** As `parseUtcTime`, for YYYYMMDDHHMMSSZ (RFC 5280 section 4.1.2.5.2). */
export function parseGeneralizedTime(bytes: Uint8Array, start: number, end: number): number | undefined {
  const year = digitPair(bytes, start) * 100 + digitPair(bytes, start + 2);
  return end - start === 15 ? parseRest(bytes, start + 4, year) : undefined;
}

/** Everything behind the year, which is NaN if it was not made of digits. */
function parseRest(bytes: Uint8Array, at: number, year: number): number | undefined {
  const month = digitPair(bytes, at);
  const day = digitPair(bytes, at + 2);
  const hour = digitPair(bytes, at + 4);
  const minute = digitPair(bytes, at + 6);
  const second = digitPair(bytes, at + 8);
  const isUtc = bytes[at + 10] === 0x5a;
  const isDay = year >= 0 && month >= 1 && month <= 12 && day >= 1 && day <= daysIn(month, year);
  if (!isUtc || !isDay || !(hour <= 23 && minute <= 59 && second <= 59)) {
    return undefined;
  }
  // Date.UTC takes years below 100 for years of the twentieth century; the calendar repeats every 400 years.
  return Date.UTC(year + 400, month - 1, day, hour, minute, second) - millisecondsIn400Years;
}

function daysIn(month: number, year: number): number {
  if (month === 2) {
    return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  }
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** Returns the number that two digits spell, or NaN. */
function digitPair(bytes: Uint8Array, at: number): number {
  const tens = (bytes[at] ?? 0) - 0x30;
  const ones = (bytes[at + 1] ?? 0) - 0x30;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : Number.NaN;
}

/**
 * Returns the DER element of a validity (RFC 5280 section 4.1.2.5), its instants between the years 0 and 9999: UTCTime from
 * 1950 through 2049, else GeneralizedTime; fractions of a second are cut off.
 */
export function encodeValidity(notBefore: Date, notAfter: Date): Uint8Array {
  const length = timeLength(notBefore) + timeLength(notAfter);
  const der = new Uint8Array(2 + length);
  der[0] = tag.sequence;
  der[1] = length;
  writeTime(notAfter, der, writeTime(notBefore, der, 2));
  return der;
}

function isUtcTime(instant: Date): boolean {
  const year = instant.getUTCFullYear();
  return year >= 1950 && year <= 2049;
}

function timeLength(instant: Date): number {
  return isUtcTime(instant) ? 15 : 17;
}

/** Writes the element of an instant at `start` and returns the offset behind it. */
function writeTime(instant: Date, target: Uint8Array, start: number): number {
  const year = instant.getUTCFullYear();
  const short = isUtcTime(instant);
  target[start] = short ? tag.utcTime : tag.generalizedTime;
  target[start + 1] = short ? 13 : 15;
  let at = start + 2;
  if (!short) {
    at = writePair(Math.floor(year / 100), target, at);
  }
  at = writePair(year % 100, target, at);
  at = writePair(instant.getUTCMonth() + 1, target, at);
  at = writePair(instant.getUTCDate(), target, at);
  at = writePair(instant.getUTCHours(), target, at);
  at = writePair(instant.getUTCMinutes(), target, at);
  at = writePair(instant.getUTCSeconds(), target, at);
  target[at] = 0x5a;
  return at + 1;
}

function writePair(number: number, target: Uint8Array, at: number): number {
  target[at] = 0x30 + Math.floor(number / 10);
  target[at + 1] = 0x30 + (number % 10);
  return at + 2;
}

import { tag } from "./tag.ts";

const millisecondsIn400Years = 146_097 * 86_400_000;

/**
 * Returns milliseconds since 1970, or undefined unless the octets spell an instant that exists, in UTC and to the
 * second (RFC 5280 sections 4.1.2.5.1 and 4.1.2.5.2).
 */
export function parseTime(
  bytes: Uint8Array,
  at: { readonly start: number; readonly end: number; readonly generalized: boolean },
): number | undefined {
  const yearDigits = at.generalized ? 4 : 2;
  if (at.end - at.start !== yearDigits + 11 || bytes[at.end - 1] !== 0x5a) {
    return undefined;
  }
  const rest = at.start + yearDigits;
  const first = digitPair(bytes, at.start);
  // RFC 5280 section 4.1.2.5.1: two-digit years from 50 on belong to the twentieth century.
  const year = at.generalized ? first * 100 + digitPair(bytes, at.start + 2) : first + (first >= 50 ? 1900 : 2000);
  const month = digitPair(bytes, rest);
  const day = digitPair(bytes, rest + 2);
  const hour = digitPair(bytes, rest + 4);
  const minute = digitPair(bytes, rest + 6);
  const second = digitPair(bytes, rest + 8);
  const exists =
    year >= 0 && month >= 1 && month <= 12 && day >= 1 && day <= 31 && hour <= 23 && minute <= 59 && second <= 59;
  if (!exists) {
    return undefined;
  }
  // Date.UTC takes years below 100 for years of the twentieth century; the calendar repeats every 400 years.
  const shifted = Date.UTC(year + 400, month - 1, day, hour, minute, second);
  // The 31st of a shorter month would roll over into the next one.
  return new Date(shifted).getUTCDate() === day ? shifted - millisecondsIn400Years : undefined;
}

/** Returns the number that two digits spell, or NaN. */
function digitPair(bytes: Uint8Array, at: number): number {
  const tens = (bytes[at] ?? 0) - 0x30;
  const ones = (bytes[at + 1] ?? 0) - 0x30;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : Number.NaN;
}

/**
 * Returns the DER element of an instant between the years 0 and 9999: UTCTime from 1950 through 2049, else
 * GeneralizedTime (RFC 5280 section 4.1.2.5); fractions of a second are cut off.
 */
export function encodeTime(instant: Date): Uint8Array {
  const year = instant.getUTCFullYear();
  const generalized = year < 1950 || year > 2049;
  const der = new Uint8Array(generalized ? 17 : 15);
  der[0] = generalized ? tag.generalizedTime : tag.utcTime;
  der[1] = der.length - 2;
  let at = 2;
  const writePair = (number: number): void => {
    der[at++] = 0x30 + Math.floor(number / 10);
    der[at++] = 0x30 + (number % 10);
  };
  if (generalized) {
    writePair(Math.floor(year / 100));
  }
  writePair(year % 100);
  writePair(instant.getUTCMonth() + 1);
  writePair(instant.getUTCDate());
  writePair(instant.getUTCHours());
  writePair(instant.getUTCMinutes());
  writePair(instant.getUTCSeconds());
  der[at] = 0x5a;
  return der;
}

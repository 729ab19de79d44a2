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
  const pair = (offset: number): number => {
    const tens = (bytes[at.start + offset] ?? 0) - 0x30;
    const ones = (bytes[at.start + offset + 1] ?? 0) - 0x30;
    return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : Number.NaN;
  };
  // RFC 5280 section 4.1.2.5.1: two-digit years from 50 on belong to the twentieth century.
  const year = at.generalized ? pair(0) * 100 + pair(2) : pair(0) + (pair(0) >= 50 ? 1900 : 2000);
  const [month, day] = [pair(yearDigits), pair(yearDigits + 2)];
  const [hour, minute, second] = [pair(yearDigits + 4), pair(yearDigits + 6), pair(yearDigits + 8)];
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

/**
 * Returns the DER element of an instant between the years 0 and 9999: UTCTime from 1950 through 2049, else
 * GeneralizedTime (RFC 5280 section 4.1.2.5); fractions of a second are cut off.
 */
export function encodeTime(instant: Date): Uint8Array {
  const text = instant.toISOString();
  const year = instant.getUTCFullYear();
  const generalized = year < 1950 || year > 2049;
  const digits = `${text.slice(generalized ? 0 : 2, 4)}${text.slice(5, 7)}${text.slice(8, 10)}${text.slice(11, 13)}${text.slice(14, 16)}${text.slice(17, 19)}Z`;
  const der = new Uint8Array(2 + digits.length);
  der[0] = generalized ? tag.generalizedTime : tag.utcTime;
  der[1] = digits.length;
  for (let index = 0; index < digits.length; index++) {
    der[index + 2] = digits.charCodeAt(index);
  }
  return der;
}

/** Returns a policy's text as requests have it: one character per octet of its UTF-8. */
export function toOctets(text: string): string {
  for (let at = 0; at < text.length; at++) {
    if (text.charCodeAt(at) > 0x7f) return Buffer.from(text, "utf8").toString("latin1");
  }
  return text;
}

/** Compares as a `std::map` of strings does: byte by byte. */
export function compareOctets(one: string, other: string): number {
  const [first, second] = [toOctets(one), toOctets(other)];
  return first < second ? -1 : first > second ? 1 : 0;
}

/**
 * Says whether RE2's `.` covers every character of some octets: no line feed, and UTF-8 as RE2 takes it, which is loosely:
 * overlong forms of three and four octets, surrogates and what is past U+10FFFF count as characters.
 */
export function isDotText(octets: string): boolean {
  let at = 0;
  while (at < octets.length) {
    const length = dotLength(octets, at);
    if (length === 0) return false;
    at += length;
  }
  return true;
}

/** How many octets the character at `at` has for RE2's `.`; 0 where it covers none. */
export function dotLength(octets: string, at: number): 0 | 1 | 2 | 3 | 4 {
  const lead = octets.charCodeAt(at);
  if (lead < 0x80) return lead === 0x0a ? 0 : 1;
  const length = lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
  // Past the end charCodeAt is NaN, which no shift makes a continuation.
  for (let next = 1; next < length; next++) {
    if (octets.charCodeAt(at + next) >> 6 !== 2) return 0;
  }
  return length;
}

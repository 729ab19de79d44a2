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
 * Says whether `.` of Envoy's regular expressions covers every octet: all but a line feed are covered, be they UTF-8 or not.
 * Measured with Envoy 1.40 and certificates with odd names.
 */
export function isDotText(octets: string): boolean {
  return !octets.includes("\n");
}

/** How many octets `.` covers at `at`: none of a line feed. */
export function dotLength(octets: string, at: number): 0 | 1 {
  return octets.charCodeAt(at) === 0x0a ? 0 : 1;
}

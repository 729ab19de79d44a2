/**
 * Returns the same text as characters in a row. What was cut out of another text or put together of several is slower to
 * compare, and the former keeps all of the other in memory.
 */
export function flatText(text: string): string {
  for (let at = 0; at < text.length; at++) {
    if (text.charCodeAt(at) > 0xff) return Buffer.from(text, "utf16le").toString("utf16le");
  }
  return Buffer.from(text, "latin1").toString("latin1");
}

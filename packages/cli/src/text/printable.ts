/**
 * Text in which nothing moves the cursor or turns the text of a terminal round, but for tabs and ends of lines; JSON stays the same
 * JSON.
 */
export function printable(text: string): string {
  return text.replaceAll(/(?![\t\n])\p{Cc}|[\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

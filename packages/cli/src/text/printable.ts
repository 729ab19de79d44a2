/** Text in which nothing moves the cursor or turns the text of a terminal round; JSON stays the same JSON. */
export function printable(text: string): string {
  return text.replaceAll(/[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

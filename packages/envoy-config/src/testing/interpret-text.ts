import type { Json } from "../envoy-filter.ts";

/** The fields of a message; of anything else there are none. */
export function fieldsOf(json: Json | undefined): Readonly<Record<string, Json>> {
  return typeof json === "object" && !Array.isArray(json) ? (json as Readonly<Record<string, Json>>) : {};
}

/** The entries of a list; of anything else there are none. */
export function entriesOf(json: Json | undefined): readonly Json[] {
  return Array.isArray(json) ? json : [];
}

/** Text of a configuration, or a JSON string, as the octets that Envoy compares: one character each. */
export function octets(text: Json | undefined): string {
  return Buffer.from(String(text ?? ""), "utf8").toString("latin1");
}

/** Whether a `StringMatcher` matches octets. */
export function matchesText(matcher: Json | undefined, text: string): boolean {
  const { exact, prefix, suffix, safeRegex, ignoreCase } = fieldsOf(matcher);
  const folded = (value: string): string => (ignoreCase === true ? lowerAscii(value) : value);
  if (exact !== undefined) return folded(text) === folded(octets(exact));
  if (prefix !== undefined) return folded(text).startsWith(folded(octets(prefix)));
  if (suffix !== undefined) return folded(text).endsWith(folded(octets(suffix)));
  if (safeRegex !== undefined) return matchesRegex(String(fieldsOf(safeRegex).regex), text);
  throw new Error(`a string matcher that is not known: ${JSON.stringify(matcher)}`);
}

function lowerAscii(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

/** RE2 over the whole text, as far as it is generated; a dot is one character of UTF-8 and no newline. */
function matchesRegex(regex: string, text: string): boolean {
  const utf8 = Buffer.from(text, "latin1").toString("utf8");
  // What is no UTF-8 is matched by nothing that stands for any character; every generated expression has such a part.
  if (utf8.includes("\ufffd")) return matchesBytes(regex, text);
  return new RegExp(`^(?:${regex.replace(/\\.|\./g, (found) => (found === "." ? "[^\\n]" : found))})$`, "u").test(utf8);
}

/** The same where the text is no UTF-8: a dot is one whole sequence. */
function matchesBytes(regex: string, text: string): boolean {
  const sequence =
    "(?:[\\x00-\\x09\\x0b-\\x7f]|[\\xc2-\\xdf][\\x80-\\xbf]|[\\xe0-\\xef][\\x80-\\xbf]{2}|[\\xf0-\\xf4][\\x80-\\xbf]{3})";
  const noSlash = sequence.replace("\\x0b-\\x7f", "\\x0b-\\x2e\\x30-\\x7f").replace("\\x00-\\x09", "\\x00-\\x0a");
  const source = octets(regex)
    .replaceAll("[^/]", "\u0100")
    .replace(/\\.|\./g, (found) => (found === "." ? sequence : found))
    .replaceAll("\u0100", noSlash);
  return new RegExp(`^(?:${source})$`).test(text);
}

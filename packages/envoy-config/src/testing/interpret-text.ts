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

/** Envoy's RE2 over the whole text, as far as it is generated: a dot is one octet, of UTF-8 or not, and no line feed. */
function matchesRegex(regex: string, text: string): boolean {
  const source = octets(regex).replace(/\\.|\./g, (found) => (found === "." ? "[^\\n]" : found));
  return new RegExp(`^(?:${source})$`).test(text);
}

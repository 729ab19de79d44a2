import type { JsonMap } from "./envoy-filter.ts";

/** Matches one text, byte for byte unless the case is to be ignored. */
export function exactly(exact: string, ignoreCase = false): JsonMap {
  return { exact, ...(ignoreCase && { ignoreCase }) };
}

/** Matches what begins so; Envoy refuses an empty prefix. */
export function startingWith(prefix: string, ignoreCase = false): JsonMap {
  return { prefix, ...(ignoreCase && { ignoreCase }) };
}

/** Matches what ends so; Envoy refuses an empty suffix. */
export function endingWith(suffix: string, ignoreCase = false): JsonMap {
  return { suffix, ...(ignoreCase && { ignoreCase }) };
}

/** Matches the whole of a text, by RE2; what users write goes through `quoteRegex` first. */
export function matchingRegex(regex: string): JsonMap {
  return { safeRegex: { regex } };
}

/** Matches everything but nothing. A dot of RE2 is no newline. */
export const nonEmpty: JsonMap = matchingRegex(".+");

/**
 * Returns the matcher of a value in which a star at one end stands for anything, and one alone for anything but nothing. A star
 * at the start is looked at first; any other is itself.
 */
export function stringMatcher(value: string): JsonMap {
  if (value === "*") return nonEmpty;
  if (value.startsWith("*")) return endingWith(value.slice(1));
  if (value.endsWith("*")) return startingWith(value.slice(0, -1));
  return exactly(value);
}

/** Text as a regular expression of RE2 that matches it and nothing else. */
export function quoteRegex(text: string): string {
  return text.replace(/[\\.+*?()|[\]{}^$]/g, "\\$&");
}

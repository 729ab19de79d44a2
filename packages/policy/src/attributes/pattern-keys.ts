import type { TextPattern } from "../match/text-pattern.ts";
import { type Dimension, type IndexKey, textKey } from "../rules/index-key.ts";

/**
 * Keys for all patterns, or none at all: a pattern without a key could match anything. They are exact, since a text has a key
 * of a form if and only if it matches the pattern of that kind.
 */
export function patternKeys(
  patterns: readonly TextPattern[],
  dimension: Dimension,
): { readonly keys?: readonly IndexKey[]; readonly keysAreExact?: boolean } {
  const keys: IndexKey[] = [];
  for (const pattern of patterns) {
    if (pattern.kind !== "exact" && pattern.kind !== "prefix" && pattern.kind !== "suffix") return {};
    if (pattern.text === "" && pattern.kind !== "exact") return {};
    keys.push(textKey(dimension, pattern.kind, pattern.text));
  }
  return { keys, keysAreExact: true };
}

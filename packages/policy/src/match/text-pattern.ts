import { assertNever } from "../assert-never.ts";
import { type Glob, matchGlob } from "./glob.ts";
import { isDotText } from "./octets.ts";
import { matchPathTemplate, type PathTemplate } from "./path-template.ts";

/** One value of a policy, as it is compared with a text. */
export type TextPattern =
  | { readonly kind: "exact" | "prefix" | "suffix"; readonly text: string }
  /** RE2's `.+`: a lone star, where it does not mean presence. */
  | { readonly kind: "some-text"; readonly unicode: boolean }
  /** Whatever there is, even if it is empty: a lone star for headers, methods and hosts. */
  | { readonly kind: "present" }
  | { readonly kind: "glob"; readonly glob: Glob }
  | { readonly kind: "template"; readonly template: PathTemplate };

/** What a lone star means: RE2's `.+` over octets or over Unicode text, or presence. */
export type LoneStar = "octets" | "unicode" | "present";

/**
 * Returns how a value with a star at its start or its end is compared. The star at the start is looked at first, and then
 * one at the end is a star like any other character.
 */
export function starPattern(value: string, loneStar: LoneStar): TextPattern {
  if (value === "*") {
    return loneStar === "present" ? { kind: "present" } : { kind: "some-text", unicode: loneStar === "unicode" };
  }
  if (value.startsWith("*")) return { kind: "suffix", text: value.slice(1) };
  if (value.endsWith("*")) return { kind: "prefix", text: value.slice(0, -1) };
  return { kind: "exact", text: value };
}

export function matchText(pattern: TextPattern, text: string): boolean {
  switch (pattern.kind) {
    case "exact":
      return text === pattern.text;
    case "prefix":
      return text.startsWith(pattern.text);
    case "suffix":
      return text.endsWith(pattern.text);
    case "some-text":
      return text !== "" && (pattern.unicode ? !text.includes("\n") : isDotText(text));
    case "present":
      return true;
    case "glob":
      return matchGlob(pattern.glob, text);
    case "template":
      return matchPathTemplate(pattern.template, text);
    default:
      return assertNever(pattern);
  }
}

/** From this many on, exact values are looked up and not compared one by one. */
const manyExact = 8;

/** Returns a test for whether one of the patterns matches. */
export function textTest(patterns: readonly TextPattern[]): (text: string) => boolean {
  const [only, second] = patterns;
  if (only !== undefined && second === undefined) return (text) => matchText(only, text);
  const exact = new Set(patterns.flatMap((pattern) => (pattern.kind === "exact" ? [pattern.text] : [])));
  const useSet = exact.size >= manyExact;
  const others = useSet ? patterns.filter(({ kind }) => kind !== "exact") : patterns;
  return (text) => {
    if (useSet && exact.has(text)) return true;
    for (const pattern of others) {
      if (matchText(pattern, text)) return true;
    }
    return false;
  };
}

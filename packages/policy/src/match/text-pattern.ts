import { assertNever } from "../assert-never.ts";
import { flatText } from "./flat-text.ts";
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
  /** RE2's `.*text.*`: the shape of most globs. */
  | { readonly kind: "contains"; readonly text: string }
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
    case "contains":
      return text.includes(pattern.text) && isDotText(text);
    case "template":
      return matchPathTemplate(pattern.template, text);
    default:
      return assertNever(pattern);
  }
}

/** From this many on, exact values are looked up and not compared one by one. */
const manyExact = 8;

/** Returns a test for whether one of the patterns matches. */
export function textTest(written: readonly TextPattern[]): (text: string) => boolean {
  const patterns = written.map(flatPattern);
  const [only, second] = patterns;
  if (only !== undefined && second === undefined) return singleTest(only);
  const exact = patterns.flatMap((pattern) => (pattern.kind === "exact" ? [pattern.text] : []));
  const others = patterns.filter(({ kind }) => kind !== "exact");
  if (exact.length >= manyExact) {
    const lookUp = new Set(exact);
    return (text) => lookUp.has(text) || anyMatches(others, text);
  }
  if (others.length === 0) return (text) => exact.includes(text);
  return (text) => anyMatches(patterns, text);
}

/** Without the way round by kinds, since most conditions have one value. */
function singleTest(pattern: TextPattern): (text: string) => boolean {
  switch (pattern.kind) {
    case "exact": {
      const { text: wanted } = pattern;
      return (text) => text === wanted;
    }
    case "prefix": {
      const { text: wanted } = pattern;
      return (text) => text.startsWith(wanted);
    }
    case "suffix": {
      const { text: wanted } = pattern;
      return (text) => text.endsWith(wanted);
    }
    default:
      return (text) => matchText(pattern, text);
  }
}

/** The same pattern, the faster to compare. */
export function flatPattern(pattern: TextPattern): TextPattern {
  switch (pattern.kind) {
    case "exact":
    case "prefix":
    case "suffix":
    case "contains":
      return { ...pattern, text: flatText(pattern.text) };
    case "glob": {
      const { literals, gaps } = pattern.glob;
      return { kind: "glob", glob: { literals: literals.map(flatText), gaps } };
    }
    case "template":
    case "some-text":
    case "present":
      return pattern;
    default:
      return assertNever(pattern);
  }
}

function anyMatches(patterns: readonly TextPattern[], text: string): boolean {
  for (let index = 0; index < patterns.length; index++) {
    const pattern = patterns[index];
    if (pattern !== undefined && matchText(pattern, text)) return true;
  }
  return false;
}

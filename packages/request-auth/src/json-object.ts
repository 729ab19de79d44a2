import { isUtf8 } from "node:buffer";

/** A JSON object as it was parsed. */
export type JsonObject = Readonly<Record<string, unknown>>;

/**
 * The JSON object that `octets` are, or undefined.
 *
 * None are octets that are not UTF-8, an object with the same member twice at any depth, nesting deeper than `maxDepth`,
 * half a surrogate pair and a number beyond the range of a double: two readers may take each of these for different values,
 * and Envoy refuses them too.
 */
export function parseJsonObject(octets: Buffer, maxDepth: number): JsonObject | undefined {
  if (!isUtf8(octets)) return undefined;
  const text = octets.toString("utf8");
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isJsonObject(value)) return undefined;
  return isWrittenPlainly(text, value, maxDepth) || isUnambiguous(text, value, maxDepth) ? value : undefined;
}

/**
 * Whether text is just what a writer makes of `value`, without white space and escapes: then no member was there twice, and each
 * string and number is what it was. So are nearly all tokens, and the engine compares much faster than we could.
 */
function isWrittenPlainly(text: string, value: JsonObject, maxDepth: number): boolean {
  // Without an escape there is no half of a surrogate pair, since UTF-8 has none.
  return !text.includes("\\") && hasAtMostBrackets(text, maxDepth) && JSON.stringify(value) === text;
}

/** Whether so few objects and lists begin in a text that none can be nested deeper than that. */
function hasAtMostBrackets(text: string, most: number): boolean {
  let found = 0;
  for (const bracket of ["{", "["]) {
    for (let at = text.indexOf(bracket); at !== -1; at = text.indexOf(bracket, at + 1)) {
      if (++found > most) return false;
    }
  }
  return true;
}

function isUnambiguous(text: string, value: JsonObject, maxDepth: number): boolean {
  const members = countMembers(value, maxDepth);
  // Every member in the text has one colon outside strings; a member that was there twice has become one.
  return members !== undefined && members === countColons(text);
}

/** Whether a parsed JSON value is an object, not an array and not null. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Freezes parsed JSON at every depth; a tree at most as deep as the parser lets pass. */
export function freezeJson(value: object): void {
  for (const name in value) {
    const item = (value as Readonly<Record<string, unknown>>)[name];
    if (typeof item === "object" && item !== null) freezeJson(item);
  }
  Object.freeze(value);
}

/** The value of a member, never one that every JavaScript object inherits. */
export function memberOf(object: JsonObject, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

/** Members of all objects in `value`, or undefined when something in it is not acceptable. */
function countMembers(value: unknown, depthLeft: number): number | undefined {
  if (typeof value === "string") return value.isWellFormed() ? 0 : undefined;
  if (typeof value === "number") return Number.isFinite(value) ? 0 : undefined;
  if (typeof value !== "object" || value === null) return 0;
  if (depthLeft === 0) return undefined;
  let members = 0;
  for (const [name, item] of Object.entries(value)) {
    const inner = name.isWellFormed() ? countMembers(item, depthLeft - 1) : undefined;
    if (inner === undefined) return undefined;
    members += inner + (Array.isArray(value) ? 0 : 1);
  }
  return members;
}

const quote = 0x22;
const colon = 0x3a;
const backslash = 0x5c;

/** Colons outside strings, in text that is valid JSON. */
function countColons(text: string): number {
  let colons = 0;
  let inString = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === quote) inString = !inString;
    else if (code === backslash) at++;
    else if (code === colon && !inString) colons++;
  }
  return colons;
}

import { isJsonObject, type JsonObject, memberOf } from "./json-object.ts";

/** How claims are turned into what policies see. */
export type Publication = {
  /** Claims that, where they are text, become lists of their words. */
  readonly spaceDelimited: readonly string[];
  /** Whether numbers and booleans become text. */
  readonly typed: boolean;
};

/** The claims as they are published to policies. */
export function publishedClaims(claims: JsonObject, { spaceDelimited, typed }: Publication): JsonObject {
  const published: Record<string, unknown> = typed ? withText(claims) : { ...claims };
  let hasChanged = typed;
  for (const name of spaceDelimited) {
    const value = memberOf(claims, name);
    if (typeof value !== "string") continue;
    const words = value.split(" ").filter((word) => word !== "");
    // Envoy leaves a text without words as it is.
    if (words.length === 0) continue;
    // Assigned, that name would make a prototype.
    if (name === "__proto__") Object.defineProperty(published, name, { value: words, enumerable: true });
    else published[name] = words;
    hasChanged = true;
  }
  return hasChanged ? published : claims;
}

/** A copy whose numbers and booleans are text; a tree at most as deep as the parser of tokens allows. */
function withText(object: JsonObject): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, textOf(value)]));
}

function textOf(value: unknown): unknown {
  if (typeof value === "boolean") return String(value);
  // Beyond this many bits two integers of tokens may be one number here, and one of them somebody else's.
  if (typeof value === "number") return Number.isInteger(value) && !Number.isSafeInteger(value) ? value : String(value);
  if (Array.isArray(value)) return value.map(textOf);
  return isJsonObject(value) ? withText(value) : value;
}

import { isJsonObject, type JsonObject, memberOf } from "./json-object.ts";

/** The names that lead to a claim, outermost first; never empty. */
export type ClaimPath = readonly string[];

/**
 * The path that text names: names joined with dots, as Istio has it, or, where `bracketed`, names in brackets with nothing
 * between them. Text that begins with a bracket and goes on otherwise is read by its dots.
 */
export function parseClaimPath(text: string, bracketed: boolean): ClaimPath {
  return (bracketed ? namesInBrackets(text) : undefined) ?? text.split(".");
}

function namesInBrackets(text: string): ClaimPath | undefined {
  const names: string[] = [];
  let start = 0;
  while (start < text.length) {
    const end = text.indexOf("]", start);
    if (text[start] !== "[" || end <= start + 1) return undefined;
    names.push(text.slice(start + 1, end));
    start = end + 1;
  }
  return names.length === 0 ? undefined : names;
}

/**
 * The claim at a path, with the type that it has in the token; undefined when there is none. Nothing that JavaScript objects
 * inherit is a claim, and nothing within a list is.
 * @example
 * ```ts
 * import { claimAt } from "@signet/request-auth";
 * const claims = { sub: "alice", "https://shop.example/team": { lead: true, seats: 12 } };
 * claimAt(claims, ["https://shop.example/team", "seats"]) === 12; // true
 * ```
 */
export function claimAt(claims: JsonObject, path: ClaimPath): unknown {
  let value: unknown = claims;
  for (const name of path) value = isJsonObject(value) ? memberOf(value, name) : undefined;
  return value;
}

import type { JwtRule } from "@signet/documents";
import { isJsonObject, type JsonObject, memberOf } from "./json-object.ts";
import type { ParsedToken } from "./parse-token.ts";

/** What becomes of the headers of a request that is let through: first `remove`, then `add`. */
export type HeaderChanges = {
  /** In lower case, only names that the request has; all values of a name go. */
  readonly remove: readonly string[];
  /** Added beside what is there; names in lower case. Text is one character per octet, as in requests. */
  readonly add: readonly (readonly [name: string, value: string])[];
  /** The path to go on with, when the token was in the query and is not to be forwarded. */
  readonly path?: string;
};

/** Returns the headers that a rule makes of a token it has accepted. */
export function headersOf(rule: JwtRule, token: ParsedToken): HeaderChanges["add"] {
  const headers: (readonly [string, string])[] = [];
  if (rule.outputPayloadToHeader) headers.push([rule.outputPayloadToHeader.toLowerCase(), token.payload]);
  for (const { header, claim } of rule.outputClaimToHeaders) {
    const text = claimText(claimAt(token.claims, claim));
    if (text !== "") headers.push([header.toLowerCase(), Buffer.from(text, "utf8").toString("latin1")]);
  }
  // A value that would end a header, or begin another, is nobody's identity.
  return headers.filter(([, value]) => isHeaderValue(value));
}

/** The claim at a path of names joined with dots; a name that holds a dot itself cannot be reached. */
function claimAt(claims: JsonObject, path: string): unknown {
  let value: unknown = claims;
  for (const name of path.split(".")) value = isJsonObject(value) ? memberOf(value, name) : undefined;
  return value;
}

/** A claim as text, empty for none: objects and lists as base64 of their JSON. */
function claimText(value: unknown): string {
  switch (typeof value) {
    case "string":
      return value;
    case "boolean":
      return String(value);
    case "number":
      return numberText(value);
    case "object":
      return value === null ? "" : Buffer.from(jsonText(value), "utf8").toString("base64");
    default:
      return "";
  }
}

/** JSON as protobuf writes it: fit to stand in HTML. */
function jsonText(value: object): string {
  return JSON.stringify(value).replaceAll("<", "\\u003c").replaceAll(">", "\\u003e");
}

/** An integer of 64 bits without sign as such, any other number with six digits after the point. */
function numberText(value: number): string {
  if (!Number.isInteger(value)) return value.toFixed(6);
  const integer = String(BigInt(value));
  return value >= 0 && value < 2 ** 64 ? integer : `${integer}.000000`;
}

function isHeaderValue(value: string): boolean {
  for (let at = 0; at < value.length; at++) {
    const code = value.charCodeAt(at);
    if ((code < 0x20 && code !== 0x09) || code === 0x7f) return false;
  }
  return true;
}

/** The claims as they are published to policies: the named ones, where they are text, as lists of their words. */
export function publishedClaims(claims: JsonObject, spaceDelimited: readonly string[]): JsonObject {
  const lists: [string, readonly string[]][] = [];
  for (const name of spaceDelimited) {
    const value = memberOf(claims, name);
    if (typeof value === "string") lists.push([name, value.split(" ").filter((word) => word !== "")]);
  }
  return lists.length === 0 ? claims : Object.fromEntries([...Object.entries(claims), ...lists]);
}

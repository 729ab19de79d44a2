import { type ClaimPath, claimAt } from "./claim-path.ts";
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

/** What a rule writes into headers, names in lower case. */
export type OutputHeaders = {
  /** Of the payload as it stood in the token. */
  readonly payload?: string;
  readonly claims: readonly { readonly header: string; readonly path: ClaimPath }[];
};

const none: HeaderChanges["add"] = Object.freeze([]);

/** Returns the headers that a rule makes of a token it has accepted. */
export function headersOf(output: OutputHeaders, token: ParsedToken): HeaderChanges["add"] {
  if (output.payload === undefined && output.claims.length === 0) return none;
  const headers: (readonly [string, string])[] = [];
  if (output.payload !== undefined) headers.push([output.payload, copyOf(token.payload)]);
  for (const { header, path } of output.claims) {
    const text = claimText(claimAt(token.facts.claims, path));
    if (text !== "") headers.push([header, Buffer.from(text, "utf8").toString("latin1")]);
  }
  // A value that would end a header, or begin another, is nobody's identity.
  return headers.filter(([, value]) => isHeaderValue(value));
}

/** Text of its own: a part of a token's text would keep the whole token in memory for as long as it is remembered. */
function copyOf(text: string): string {
  return Buffer.from(text, "latin1").toString("latin1");
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

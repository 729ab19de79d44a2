import { coversBlock } from "./address-block.ts";

/** What a value of a policy stands for, as far as two of them can be compared. */
type Pattern =
  | { readonly kind: "any" }
  | { readonly kind: "exact" | "prefix" | "suffix"; readonly text: string }
  | { readonly kind: "opaque"; readonly text: string };

/** Whether everything that `narrow` matches `wide` matches too; false where that cannot be told. */
export function covers(attribute: string, wide: string, narrow: string): boolean {
  if (wide === narrow) return true;
  if (isAddress(attribute)) return coversBlock(wide, narrow);
  if (attribute === "destination.port") return Number(wide) === Number(narrow);
  const [one, other] = [patternOf(attribute, wide), patternOf(attribute, narrow)];
  if (one.kind === "any") return isSomething(attribute, narrow);
  // Trust domains have aliases, of which the values do not tell.
  if (attribute === "source.principal" && !(one.kind === "suffix" && one.text.startsWith("/"))) return false;
  if (one.kind === "opaque" || other.kind === "opaque" || other.kind === "any") return false;
  if (one.kind === "prefix") return other.kind !== "suffix" && other.text.startsWith(one.text);
  if (one.kind === "suffix") return other.kind !== "prefix" && other.text.endsWith(one.text);
  return other.kind === "exact" && one.text === other.text;
}

/** Whether a star matches all that a value does: it is one character at least, and of issuer and subject each. */
function isSomething(attribute: string, value: string): boolean {
  if (attribute !== "request.auth.principal") return value !== "";
  return /^[^/].*\/./s.test(value);
}

/** Whether no value matches both; false where that cannot be told. */
export function areDisjoint(attribute: string, first: string, second: string): boolean {
  if (first === second) return false;
  if (isAddress(attribute)) return !coversBlock(first, second) && !coversBlock(second, first);
  if (attribute === "destination.port") return Number(first) !== Number(second);
  if (attribute === "source.principal") return haveOtherPaths(first, second);
  const [one, other] = [patternOf(attribute, first), patternOf(attribute, second)];
  if (one.kind === "exact" && other.kind === "exact") return one.text !== other.text;
  if (one.kind === "exact" && other.kind !== "opaque") return !covers(attribute, second, first);
  if (other.kind === "exact" && one.kind !== "opaque") return !covers(attribute, first, second);
  const bothOf = (kind: Pattern["kind"]): boolean => one.kind === kind && other.kind === kind;
  if (bothOf("prefix")) return !covers(attribute, first, second) && !covers(attribute, second, first);
  if (bothOf("suffix")) return !covers(attribute, first, second) && !covers(attribute, second, first);
  return false;
}

function patternOf(attribute: string, value: string): Pattern {
  if (attribute.startsWith("experimental.")) return { kind: "opaque", text: value };
  if (attribute === "operation.path" && /\{\*\*?\}/.test(value)) return { kind: "opaque", text: value };
  const text = attribute === "operation.host" ? value.toLowerCase() : value;
  if (text === "*") return { kind: "any" };
  // Each of these cuts its values in a way of its own, so that only equal ones and stars are compared.
  if (isCut(attribute, text)) return { kind: "opaque", text };
  if (text.startsWith("*")) return { kind: "suffix", text: text.slice(1) };
  if (text.endsWith("*")) return { kind: "prefix", text: text.slice(0, -1) };
  return { kind: "exact", text };
}

/** A principal may have more than one part that reads like a namespace, and a trust domain has aliases. */
function isCut(attribute: string, text: string): boolean {
  switch (attribute) {
    case "source.namespace":
    case "source.serviceAccount":
    case "source.trustDomain":
      return true;
    case "request.auth.principal":
      return text.includes("*") || !text.includes("/") || text.endsWith("/");
    default:
      return false;
  }
}

/** Whatever their trust domains are. */
function haveOtherPaths(first: string, second: string): boolean {
  if (first.includes("*") || second.includes("*")) return false;
  return first.slice(first.indexOf("/")) !== second.slice(second.indexOf("/"));
}

function isAddress(attribute: string): boolean {
  return attribute === "source.ip" || attribute === "remote.ip" || attribute === "destination.ip";
}

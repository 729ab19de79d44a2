import { joinedHeaderValues } from "@signet/documents";
import { lowerCaseAscii } from "../authorization-request.ts";
import type { Facts } from "../facts.ts";
import { toOctets } from "../match/octets.ts";
import { starPattern, textTest } from "../match/text-pattern.ts";
import type { Dimension } from "../rules/index-key.ts";
import type { Attribute, CompileContext, ValueTest } from "./attribute.ts";
import { type AttributeEdit, headerEdit, httpEdit } from "./attribute-edit.ts";
import { operationHost, operationMethod, operationPath } from "./operation.ts";
import { patternKeys } from "./pattern-keys.ts";

type HeaderMatching = CompileContext["headerMatching"];

/** `request.headers[NAME]`: one of the header's values as Envoy keeps them, or all of them joined with commas, as Envoy did before 1.38. */
export function requestHeader(name: string): Attribute {
  const key = lowerCaseAscii(toOctets(name));
  return {
    title: `header ${key}`,
    cost: 3,
    httpOnly: true,
    read: (facts, { headerMatching }) => headerOf(facts, key, headerMatching),
    edit: editOf(key),
    compile: (values, { headerMatching }) => {
      const patterns = values.map((value) => starPattern(toOctets(value), "present"));
      const read = (facts: Facts): unknown => headerOf(facts, key, headerMatching);
      const dimension: Dimension = { kind: "text", id: `header ${headerMatching} ${key}`, read };
      return { test: headerTest(key, headerMatching, textTest(patterns)), ...patternKeys(patterns, dimension) };
    },
  };
}

/** Pseudo-headers are changed where they are. */
function editOf(key: string): AttributeEdit {
  switch (key) {
    case ":path":
      return operationPath.edit;
    case ":method":
      return operationMethod.edit;
    case ":authority":
    case "host":
      return operationHost.edit;
    case ":scheme":
      return httpEdit("scheme", { like: (values) => values, unlike: ["https", "http", undefined] });
    default:
      return headerEdit(key);
  }
}

function headerTest(key: string, matching: HeaderMatching, matches: (text: string) => boolean): ValueTest {
  return (facts) => {
    const value = headerOf(facts, key, matching);
    if (value === undefined) return false;
    if (typeof value === "string") return matches(value);
    for (const one of value) {
      if (matches(one)) return true;
    }
    return false;
  };
}

function headerOf(facts: Facts, key: string, matching: HeaderMatching): string | readonly string[] | undefined {
  const value = facts.header(key);
  if (typeof value !== "object") return value;
  if (matching === "each") return joinedHeaderValues(key, value);
  return value.length === 0 ? undefined : value.join(",");
}

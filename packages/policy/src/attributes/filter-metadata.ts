import { starPattern, textTest } from "../match/text-pattern.ts";
import type { Attribute } from "./attribute.ts";
import { metadataEdit } from "./attribute-edit.ts";

/**
 * `experimental.envoy.filters.F[K]`: a text that a filter left. A value `[v]` asks for a list that holds a text like v, any
 * other for a text.
 */
export function filterMetadata(filter: string, key: string): Attribute {
  return {
    title: `metadata ${filter} ${key}`,
    cost: 4,
    edit: metadataEdit(filter, key),
    httpOnly: false,
    read: (facts) => facts.metadata(filter, key),
    compile: (values) => {
      const isList = (value: string): boolean => value.startsWith("[") && value.endsWith("]");
      const matchesText = textTest(values.filter((value) => !isList(value)).map(pattern));
      const matchesElement = textTest(values.filter(isList).map((value) => pattern(trimBrackets(value))));
      return {
        test: (facts) => {
          const value = facts.metadata(filter, key);
          if (typeof value === "string") return matchesText(value);
          return (
            Array.isArray(value) && value.some((element) => typeof element === "string" && matchesElement(element))
          );
        },
      };
    },
  };
}

function pattern(value: string): ReturnType<typeof starPattern> {
  return starPattern(value.toWellFormed(), "unicode");
}

/** All brackets at both ends, as Istio trims them. */
function trimBrackets(value: string): string {
  let [start, end] = [0, value.length];
  while (start < end && "[]".includes(value[start] ?? "")) start++;
  while (end > start && "[]".includes(value[end - 1] ?? "")) end--;
  return value.slice(start, end);
}

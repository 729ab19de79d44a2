import type { JsonValue } from "../authorization-request.ts";
import type { Facts } from "../facts.ts";
import type { Condition } from "./condition.ts";

/** Headers whose values open doors. */
const hiddenTargets: readonly string[] = ["authorization", "proxy-authorization", "cookie", "x-api-key"].map(
  (name) => `header ${name}`,
);

/** What the request has, fit for JSON and for other eyes. */
export function actualValue(condition: Condition, facts: Facts): JsonValue | undefined {
  const value = condition.attribute.read(facts, condition.context);
  if (value === undefined) return undefined;
  return hiddenTargets.includes(condition.attribute.edit.target) ? "(hidden)" : toJson(value);
}

function toJson(value: unknown): JsonValue {
  const text = JSON.stringify(value);
  const json: JsonValue = text === undefined ? null : JSON.parse(text);
  return json;
}

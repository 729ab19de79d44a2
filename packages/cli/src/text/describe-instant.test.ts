import { expect, it } from "vitest";
import { describeInstant, describeNumericDate } from "./describe-instant.ts";

const now = new Date("2026-01-01T00:00:00Z");
const second = 1;
const minute = 60;
const hour = 3_600;
const day = 86_400;

it.each([
  [0, "now"],
  [0.4, "now"],
  [second, "in 1 second"],
  [-2 * second, "2 seconds ago"],
  [-3 * minute, "3 minutes ago"],
  [minute + 1, "in 1 minute 1 second"],
  [11 * hour + 58 * minute + 30, "in 11 hours 58 minutes"],
  [-day, "1 day ago"],
  [day + 59 * minute, "in 1 day"],
  [-(400 * day + 2 * hour), "400 days 2 hours ago"],
])("%d s is %s", (seconds, words) => {
  expect(describeInstant(new Date(now.getTime() + seconds * 1000), now)).toBe(words);
});

it.each([
  [1767225600 - 180, "3 minutes ago (2025-12-31T23:57:00Z)"],
  [1767225600.5, "in 1 second (2026-01-01T00:00:00.500Z)"],
  ["soon", "not an instant"],
  [Number.POSITIVE_INFINITY, "not an instant"],
  [1e300, "not an instant"],
  [null, "not an instant"],
])("the claim %j is %s", (value, words) => {
  expect(describeNumericDate(value, now)).toBe(words);
});

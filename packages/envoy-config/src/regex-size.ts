import type { EnvoyFilter, Json } from "./envoy-filter.ts";

/** Envoy's own limit, which Istio's bootstrap raises to 32768. */
const maxProgramSize = 100;
const instructionsPerDot = 4;

/**
 * Returns a warning for regular expressions that an Envoy with its own limit of their size would refuse, and the whole listener with
 * them; undefined for filters without any.
 */
export function regexSizeWarning(filters: readonly EnvoyFilter[]): string | undefined {
  const sizes = filters.flatMap(({ typedConfig }) => regexesOf(typedConfig)).map(programSize);
  const largest = sizes.reduce((most, size) => Math.max(most, size), 0);
  if (largest <= maxProgramSize) return undefined;
  return (
    "a regular expression is larger than Envoy reads by itself: set the runtime key re2.max_program_size.error_level " +
    "in its bootstrap, as Istio's does, to 32768"
  );
}

/** What RE2 makes of those that are generated: one instruction for a character, some more for a dot. */
function programSize(regex: string): number {
  return Buffer.byteLength(regex) + instructionsPerDot * (regex.split(".").length - 1);
}

function regexesOf(json: Json): readonly string[] {
  if (typeof json !== "object") return [];
  if (Array.isArray(json)) return json.flatMap(regexesOf);
  return Object.entries(json).flatMap(([name, value]) => {
    return name === "regex" && typeof value === "string" ? [value] : regexesOf(value);
  });
}

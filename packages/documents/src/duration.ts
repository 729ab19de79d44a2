/** How many nanoseconds a unit has. */
const units: ReadonlyMap<string, bigint> = new Map([
  ["ns", 1n],
  ["us", 1_000n],
  ["\u00b5s", 1_000n],
  ["\u03bcs", 1_000n],
  ["ms", 1_000_000n],
  ["s", 1_000_000_000n],
  ["m", 60_000_000_000n],
  ["h", 3_600_000_000_000n],
]);

const nanosecondsInMs = 1_000_000n;

/** Go's longest duration, about 292 years. */
const longest = 2n ** 63n - 1n;

/**
 * Returns the milliseconds of a duration such as `5s`, `1.5s` or `1h30m`, as Go writes them; at least 1, at most 292 years.
 * Throws an error with Istio's words for what is no such duration, is shorter, or is finer than milliseconds.
 */
export function parseDurationMs(text: string): number {
  const nanoseconds = parseNanoseconds(text);
  if (nanoseconds === undefined || nanoseconds > longest) throw new Error("must be a valid duration greater than 1ms");
  if (nanoseconds < nanosecondsInMs) throw new Error("duration must be greater than 1ms");
  if (nanoseconds % nanosecondsInMs !== 0n) throw new Error("only durations to ms precision are supported");
  return Number(nanoseconds / nanosecondsInMs);
}

function parseNanoseconds(text: string): bigint | undefined {
  if (text.length > 64) return undefined;
  const [, sign = "", rest = ""] = /^([+-]?)(.*)$/s.exec(text) ?? [];
  if (rest === "0") return 0n;
  const part = /(\d*)(?:\.(\d*))?(ns|us|\u00b5s|\u03bcs|ms|s|m|h)/y;
  let sum = 0n;
  for (let at = 0; at < rest.length; at = part.lastIndex) {
    part.lastIndex = at;
    const [, whole = "", fraction = "", unit = ""] = part.exec(rest) ?? [];
    const size = units.get(unit);
    if (size === undefined || whole + fraction === "") return undefined;
    sum += BigInt(whole || "0") * size + (BigInt(fraction || "0") * size) / 10n ** BigInt(fraction.length);
  }
  return rest === "" ? undefined : sign === "-" ? -sum : sum;
}

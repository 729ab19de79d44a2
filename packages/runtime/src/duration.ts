import { RuntimeError } from "./errors.ts";

const nanosecondsPerMs = 1_000_000n;
const unitNanoseconds: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  "\u00b5s": 1_000n, // the micro sign
  "\u03bcs": 1_000n, // the Greek letter mu; Go accepts both
  ms: nanosecondsPerMs,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};
const maxNanoseconds = 2n ** 63n - 1n;
const maxLength = 64;
const wholeText = /^[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|\u00b5s|\u03bcs|ms|s|m|h))+$/;
const part = /(\d*)\.?(\d*)(ns|us|\u00b5s|\u03bcs|ms|s|m|h)/g;

/**
 * Milliseconds in a duration as Go writes it: "24h", "1m30s", "100ms", "-1.5h", "0".
 *
 * Units are h, m, s, ms, us and ns; what is finer than a nanosecond is cut off. The largest is Go's, about 292 years.
 * @throws RuntimeError `duration-malformed`
 * @example
 * ```ts
 * import { parseDuration } from "@signet/runtime";
 * parseDuration("1m30s"); // 90000
 * ```
 */
export function parseDuration(text: string): number {
  if (text.length > maxLength) {
    throw new RuntimeError("duration-malformed", `duration of ${text.length} characters exceeds ${maxLength}`);
  }
  if (/^[+-]?0$/.test(text)) return 0;
  if (!wholeText.test(text)) {
    throw new RuntimeError(
      "duration-malformed",
      `${JSON.stringify(text)} is not a duration such as "24h", "1m30s" or "100ms"`,
    );
  }
  let nanoseconds = 0n;
  for (const [, whole = "", fraction = "", unit = ""] of text.matchAll(part)) {
    const scale = unitNanoseconds[unit] ?? 0n;
    nanoseconds += BigInt(whole) * scale + (BigInt(fraction) * scale) / 10n ** BigInt(fraction.length);
  }
  if (nanoseconds > maxNanoseconds) {
    throw new RuntimeError("duration-malformed", `duration ${JSON.stringify(text)} exceeds 2562047h47m16.854775807s`);
  }
  const ms = Number(nanoseconds / nanosecondsPerMs) + Number(nanoseconds % nanosecondsPerMs) / 1e6;
  return text.startsWith("-") && ms !== 0 ? -ms : ms;
}

/**
 * A duration in milliseconds as Go prints it: "2160h0m0s", "1m30s", "100ms", "0s"; rounded to nanoseconds.
 *
 * Total, since it is used in messages: a number of any size is printed, and what is not finite is printed as it is.
 * @example
 * ```ts
 * import { formatDuration } from "@signet/runtime";
 * formatDuration(7_776_000_000); // "2160h0m0s"
 * ```
 */
export function formatDuration(ms: number): string {
  if (!Number.isFinite(ms)) return String(ms);
  const magnitude = Math.abs(ms);
  const whole = Math.trunc(magnitude);
  const nanoseconds = BigInt(whole) * nanosecondsPerMs + BigInt(Math.round((magnitude - whole) * 1e6));
  if (nanoseconds === 0n) return "0s";
  return (ms < 0 ? "-" : "") + formatNanoseconds(nanoseconds);
}

function formatNanoseconds(nanoseconds: bigint): string {
  if (nanoseconds < 1_000n) return `${nanoseconds}ns`;
  if (nanoseconds < nanosecondsPerMs) return `${withFraction(nanoseconds, 3)}\u00b5s`;
  if (nanoseconds < 1_000_000_000n) return `${withFraction(nanoseconds, 6)}ms`;
  const minutes = nanoseconds / 60_000_000_000n;
  const seconds = `${withFraction(nanoseconds % 60_000_000_000n, 9)}s`;
  if (minutes === 0n) return seconds;
  return minutes < 60n ? `${minutes}m${seconds}` : `${minutes / 60n}h${minutes % 60n}m${seconds}`;
}

/** `value` divided by 10^digits, in decimal, without trailing zeros. */
function withFraction(value: bigint, digits: number): string {
  const scale = 10n ** BigInt(digits);
  const fraction = (value % scale).toString().padStart(digits, "0").replace(/0+$/, "");
  return fraction === "" ? `${value / scale}` : `${value / scale}.${fraction}`;
}

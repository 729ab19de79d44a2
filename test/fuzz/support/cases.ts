import type { Parameters } from "fast-check";

/** All cases of a run in CI; a thorough run asks for a million with `SIGNET_FUZZ_RUNS`. */
const defaultCases = 8_000;

/** What one case may use of the processor: a parser that needs more has no bound. */
const longestCaseMs = 5_000;

/**
 * How many cases a property gets, and from which seed: `share` of `SIGNET_FUZZ_RUNS`, and `SIGNET_FUZZ_SEED`, 1 unless set.
 * The shares of all properties add up to 1. What fast-check prints of a failure (`seed` and `path`) is enough to repeat it.
 */
export function fuzzParameters<T>(share: number): Parameters<T> {
  const cases = readCount("SIGNET_FUZZ_RUNS", defaultCases);
  const seed = readCount("SIGNET_FUZZ_SEED", 1);
  return { numRuns: Math.max(1, Math.round(cases * share)), seed };
}

/** Long enough for a million cases; a run in CI needs seconds. */
export const fuzzTimeoutMs = 3_600_000;

function readCount(name: string, otherwise: number): number {
  const text = process.env[name];
  if (text === undefined) return otherwise;
  const count = Number(text);
  if (!Number.isSafeInteger(count) || count < 1) throw new Error(`${name}=${text} is not a count`);
  return count;
}

/** What `work` returns; throws when it used far more of the processor than any honest input takes, whatever the load. */
export function bounded<T>(work: () => T): T {
  const before = process.cpuUsage();
  const result = work();
  const { user, system } = process.cpuUsage(before);
  const usedMs = (user + system) / 1000;
  if (usedMs > longestCaseMs) throw new Error(`one case took ${Math.round(usedMs)} ms of the processor`);
  return result;
}

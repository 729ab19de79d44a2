/**
 * How many cases a differential gets and from which seed: `SIGNET_DIFFERENTIAL_RUNS` on demand, `inCi` otherwise, and
 * `SIGNET_DIFFERENTIAL_SEED`, 1 unless set.
 */
export function differentialRuns(inCi: number): { readonly runs: number; readonly seed: number } {
  return { runs: readCount("SIGNET_DIFFERENTIAL_RUNS", inCi), seed: readCount("SIGNET_DIFFERENTIAL_SEED", 1) };
}

/** Long enough for a hundred thousand cases on a busy machine; a run in CI needs seconds. */
export const differentialTimeoutMs = 3_600_000;

function readCount(name: string, otherwise: number): number {
  const text = process.env[name];
  if (text === undefined) return otherwise;
  const count = Number(text);
  if (!Number.isSafeInteger(count) || count < 1) throw new Error(`${name}=${text} is not a count`);
  return count;
}

import { type BenchmarkCase, medianOf, toCase } from "../measure.ts";

/** How many requests are under way at a time, on every side. */
export const concurrency = 32;

/** What one round came to, for each request; `askedMicros` is what of the CPU time a server spent that Envoy asked. */
export type Round = { readonly cpuMicros: number; readonly askedMicros?: number; readonly p99Micros: number };

/** One way to have requests decided. */
export type Side = { readonly name: string; round(): Promise<Round> };

/** Two sides that are compared. */
export type CheckContest = { readonly case: string; readonly ours: Side; readonly baseline: Side };

/** Rounds of every side in turn, so that whatever else the machine does meets them all; medians. */
export async function compareSides(
  contests: readonly CheckContest[],
  rounds: number,
): Promise<readonly BenchmarkCase[]> {
  const done = new Map(contests.flatMap(({ ours, baseline }) => [ours, baseline]).map((side) => [side, [] as Round[]]));
  for (const side of done.keys()) await side.round();
  for (let round = 0; round < rounds; round++) {
    for (const [side, spent] of done) spent.push(await side.round());
  }
  const medians = new Map([...done].map(([side, spent]) => [side, medianRound(spent)]));
  for (const [{ name }, { cpuMicros, askedMicros }] of medians) {
    if (askedMicros === undefined) continue;
    process.stderr.write(`${name}: ${cpuMicros.toFixed(1)} us, ${askedMicros.toFixed(1)} of them not Envoy's\n`);
  }
  return contests.flatMap(({ case: name, ours, baseline }) => casesOf(name, medians.get(ours), medians.get(baseline)));
}

function medianRound(rounds: readonly Round[]): Round {
  const asked = rounds.flatMap(({ askedMicros }) => askedMicros ?? []);
  return {
    cpuMicros: medianOf(rounds.map(({ cpuMicros }) => cpuMicros)),
    ...(asked.length > 0 && { askedMicros: medianOf(asked) }),
    p99Micros: medianOf(rounds.map(({ p99Micros }) => p99Micros)),
  };
}

function casesOf(name: string, ours?: Round, baseline?: Round): readonly BenchmarkCase[] {
  if (ours === undefined || baseline === undefined) return [];
  const [what, beside] = name.split(" / ");
  const row = (measure: string, [value, base]: readonly [number, number]): BenchmarkCase =>
    toCase({ case: `${what}, ${measure} / ${beside}`, unit: "us", value, baseline: base });
  const cpu = row("CPU", [ours.cpuMicros, baseline.cpuMicros]);
  const perSecond: BenchmarkCase = {
    case: `${what}, requests per second per core / ${beside}`,
    unit: "1/s",
    value: Math.round(1e6 / ours.cpuMicros),
    baseline: Math.round(1e6 / baseline.cpuMicros),
    ratio: cpu.ratio,
  };
  return [cpu, perSecond, row(`p99 of ${concurrency} at a time`, [ours.p99Micros, baseline.p99Micros])];
}

/** Has every caller ask again and again while `more` says so; returns how often it was, and what 99 of 100 took at most. */
export async function askInTurns(
  callers: readonly (() => Promise<void>)[],
  more: () => boolean,
): Promise<{ readonly count: number; readonly p99Micros: number }> {
  const took: number[] = [];
  const keepAsking = async (ask: () => Promise<void>): Promise<void> => {
    while (more()) {
      const began = performance.now();
      await ask();
      took.push(performance.now() - began);
    }
  };
  await Promise.all(callers.map(keepAsking));
  const sorted = took.sort((one, other) => one - other);
  return { count: took.length, p99Micros: (sorted[Math.floor(sorted.length * 0.99)] ?? 0) * 1000 };
}

/**
 * One line of a benchmark; `value` and `baseline` are medians in the same unit, `ratio` is a cost: lower is better. Of "1/s" more is
 * better, so that its ratio is `baseline` by `value`.
 */
export interface BenchmarkCase {
  readonly case: string;
  readonly unit: "us" | "ns" | "1/s";
  readonly value: number;
  readonly baseline: number;
  readonly ratio: number;
}

/** Something done once; `turn` counts up, so that inputs can differ. */
export type Operation = (turn: number) => unknown;

/** Two ways to do the same thing. */
export interface Contest {
  readonly case: string;
  readonly ours: Operation;
  readonly baseline: Operation;
}

/** How long one contest runs, warm-up not counted. */
const contestMs = 5_000;
const warmUpMs = 600;

/** How long one side runs before the other one takes its turn: longer than the clock's grain, shorter than a hiccup. */
const turnMs = 5;

/**
 * Returns the medians of both sides, measured in turns in one process, so that whatever else the machine does meets both.
 * The side that goes first changes from round to round.
 */
export async function compare(contest: Contest): Promise<BenchmarkCase> {
  const ours = await warmUp(contest.ours);
  const baseline = await warmUp(contest.baseline);
  const times: Record<"ours" | "baseline", number[]> = { ours: [], baseline: [] };
  const end = performance.now() + contestMs;
  for (let round = 0; performance.now() < end; round++) {
    const sides = [
      { times: times.ours, operation: contest.ours, batch: ours },
      { times: times.baseline, operation: contest.baseline, batch: baseline },
    ];
    for (const side of round % 2 === 0 ? sides : sides.toReversed()) {
      side.times.push(await timePerOperation(side.operation, side.batch));
    }
  }
  const [value, reference] = [medianOf(times.ours), medianOf(times.baseline)];
  return {
    case: contest.case,
    unit: "us",
    value: round(value),
    baseline: round(reference),
    ratio: round(value / reference),
  };
}

/** Runs an operation until it is compiled, and returns how many fit into one turn. */
async function warmUp(operation: Operation): Promise<number> {
  const end = performance.now() + warmUpMs;
  let fastest = Number.POSITIVE_INFINITY;
  while (performance.now() < end) {
    fastest = Math.min(fastest, await timePerOperation(operation, 10));
  }
  return Math.max(1, Math.round((turnMs * 1000) / fastest));
}

/** Microseconds. */
async function timePerOperation(operation: Operation, batch: number): Promise<number> {
  const start = performance.now();
  for (let turn = 0; turn < batch; turn++) {
    const result = operation(turn);
    if (result instanceof Promise) {
      await result;
    }
  }
  return ((performance.now() - start) * 1000) / batch;
}

/** A line of a benchmark that was measured by other means than `compare`. */
export function toCase(measured: Omit<BenchmarkCase, "ratio">): BenchmarkCase {
  const { value, baseline } = measured;
  return { ...measured, value: round(value), baseline: round(baseline), ratio: round(value / baseline) };
}

export function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}

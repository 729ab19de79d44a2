/** A signal that never aborts. */
export const never: AbortSignal = new AbortController().signal;

/** For calls whose deadline does not matter. */
export const unhurried: { readonly deadlineMs: number; readonly signal: AbortSignal } = {
  deadlineMs: 20_000,
  signal: never,
};

/** These values, and then the end. */
export async function* from<T>(values: readonly T[]): AsyncGenerator<T, void, undefined> {
  yield* values;
}

/** These values, and then no end until `signal` aborts. */
export async function* open<T>(values: readonly T[], signal: AbortSignal): AsyncGenerator<T, void, undefined> {
  yield* values;
  await aborted(signal);
}

/** Everything `values` yields. */
export async function collect<T>(values: AsyncIterable<T>): Promise<readonly T[]> {
  const all: T[] = [];
  for await (const value of values) all.push(value);
  return all;
}

/** The reason of `signal`, as soon as it aborts. */
export function aborted(signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(signal.reason), { once: true }));
}

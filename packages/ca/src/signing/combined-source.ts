import { createSource, type Source } from "@signet/runtime";

/**
 * A Source of what `combine` makes of the values of two sources, either of which may have none yet; while it makes
 * undefined of them, there is no value.
 *
 * As long as both values stay the same the result is the same object.
 */
export function combinedSource<A, B, C>(
  first: Source<A>,
  second: Source<B>,
  combine: (first: A | undefined, second: B | undefined) => C | undefined,
): Source<C> {
  let last:
    | { readonly first: A | undefined; readonly second: B | undefined; readonly combined: C | undefined }
    | undefined;

  function current(): C | undefined {
    const [a, b] = [first.current(), second.current()];
    if (last === undefined || !Object.is(last.first, a) || !Object.is(last.second, b)) {
      last = { first: a, second: b, combined: combine(a, b) };
    }
    return last.combined;
  }

  async function* changes(signal: AbortSignal): AsyncGenerator<C, void, undefined> {
    const stop = new AbortController();
    const either = AbortSignal.any([signal, stop.signal]);
    const published = createSource<C>();
    const follow = async (source: Source<unknown>): Promise<void> => {
      for await (const _ of source.changes(either)) {
        const combined = current();
        if (combined !== undefined && !Object.is(combined, published.current())) published.publish(combined);
      }
    };
    const following = [follow(first), follow(second)];
    try {
      yield* published.changes(signal);
    } finally {
      stop.abort();
      await Promise.all(following);
    }
  }

  return { current, changes };
}

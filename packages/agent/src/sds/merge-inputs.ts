/**
 * Yields what two iterables yield, as it comes; ends with the first of them, and fails when either fails.
 *
 * Neither is read while an item of it waits to be taken, so a reader that is held up holds up the senders. When both have
 * something, updates go first: a client that floods its stream with requests does not keep a new certificate from itself.
 */
export async function* mergeInputs<U, R>(
  updates: (signal: AbortSignal) => AsyncIterable<U>,
  requests: AsyncIterable<R>,
  signal: AbortSignal,
): AsyncGenerator<U | R, void, undefined> {
  const stop = new AbortController();
  const updateIterator = updates(AbortSignal.any([signal, stop.signal]))[Symbol.asyncIterator]();
  const requestIterator = requests[Symbol.asyncIterator]();
  let update: Promise<Taken<U>> | undefined;
  let request: Promise<Taken<R>> | undefined;
  try {
    for (;;) {
      update ??= take(updateIterator, "update");
      request ??= take(requestIterator, "request");
      const { from, result } = await Promise.race([update, request]);
      if (result.done === true) return;
      if (from === "update") update = undefined;
      else request = undefined;
      yield result.value;
    }
  } finally {
    stop.abort();
    await requestIterator.return?.();
  }
}

type Taken<T> = { readonly from: "update" | "request"; readonly result: IteratorResult<T, unknown> };

function take<T>(iterator: AsyncIterator<T>, from: Taken<T>["from"]): Promise<Taken<T>> {
  const taken = iterator.next().then((result) => ({ from, result }));
  // The loser of the last race may fail when nobody listens any more.
  taken.catch(() => undefined);
  return taken;
}

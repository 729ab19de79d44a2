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
  const update = lookahead(updates(AbortSignal.any([signal, stop.signal])));
  const request = lookahead(requests);
  try {
    for (;;) {
      await new Promise<void>((wake) => {
        update.whenTaken(wake);
        request.whenTaken(wake);
      });
      const { value, done } = (update.isTaken() ? update : request).release();
      if (done === true) return;
      yield value;
    }
  } finally {
    stop.abort();
    await request.close();
  }
}

/** One item of an iterable, taken before it is needed. */
interface Lookahead<T> {
  /** Takes the next item, unless it has been or is being taken, and calls `wake` once it is there; the last `wake` counts. */
  whenTaken(wake: () => void): void;
  isTaken(): boolean;
  /** Hands out the item that was taken, or throws what its iterable failed with. */
  release(): IteratorResult<T, unknown>;
  close(): Promise<void>;
}

/**
 * Not a race of promises: each race leaves something behind on the promise that lost, and a stream waits half a day for its
 * next update while its client may send any number of requests.
 */
function lookahead<T>(iterable: AsyncIterable<T>): Lookahead<T> {
  const iterator = iterable[Symbol.asyncIterator]();
  let taking = false;
  let taken: (() => IteratorResult<T, unknown>) | undefined;
  let wakeReader: () => void;

  function settle(release: () => IteratorResult<T, unknown>): void {
    taken = release;
    wakeReader();
  }

  return {
    whenTaken(wake) {
      wakeReader = wake;
      if (taken !== undefined) wake();
      if (taking) return;
      taking = true;
      iterator.next().then(
        (result) => settle(() => result),
        (error: unknown) =>
          settle(() => {
            throw error;
          }),
      );
    },
    isTaken: () => taken !== undefined,
    release() {
      if (taken === undefined) throw new Error("nothing has been taken");
      const release = taken;
      taken = undefined;
      taking = false;
      return release();
    },
    async close() {
      await iterator.return?.();
    },
  };
}

type Waiter<T> = {
  readonly resolve: (result: IteratorResult<T, undefined>) => void;
  readonly reject: (reason: unknown) => void;
};

/** Messages on their way to one reader, who asks for each. */
export interface Inbox<T> extends AsyncIterableIterator<T, undefined> {
  /** Gives the reader a message. */
  push(message: T): void;
  /** No more messages will come; the reader sees the end after those already here. */
  end(): void;
  /** Every read from now on fails with `reason`; messages not yet read are dropped. The first reason stays. */
  fail(reason: unknown): void;
}

/**
 * An Inbox that calls `pull` once for every message its reader waits for, which is what makes back pressure: a sender
 * who is faster than the reader is slowed down by HTTP/2's windows and not stored here.
 */
export function createInbox<T>(pull: () => void): Inbox<T> {
  const messages: T[] = [];
  const waiters: Waiter<T>[] = [];
  let ended = false;
  let failure: { readonly reason: unknown } | undefined;
  const done = { done: true, value: undefined } as const;

  function settleAll(settle: (waiter: Waiter<T>) => void): void {
    for (const waiter of waiters.splice(0)) settle(waiter);
  }

  return {
    push(message) {
      if (ended || failure !== undefined) return;
      const waiter = waiters.shift();
      if (waiter === undefined) messages.push(message);
      else waiter.resolve({ done: false, value: message });
      if (waiters.length > 0) pull();
    },
    end() {
      ended = true;
      settleAll((waiter) => waiter.resolve(done));
    },
    fail(reason) {
      failure ??= { reason };
      const settled = failure;
      messages.length = 0;
      settleAll((waiter) => waiter.reject(settled.reason));
    },
    next() {
      if (failure !== undefined) return Promise.reject(failure.reason);
      const message = messages.shift();
      if (message !== undefined) return Promise.resolve({ done: false, value: message });
      if (ended) return Promise.resolve(done);
      return new Promise((resolve, reject) => {
        waiters.push({ resolve, reject });
        if (waiters.length === 1) pull();
      });
    },
    return() {
      this.end();
      messages.length = 0;
      return Promise.resolve(done);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

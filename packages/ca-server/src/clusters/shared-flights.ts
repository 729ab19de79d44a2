/** One piece of work for all who ask for the same thing at the same time. */
export interface SharedFlights<T> {
  /**
   * Joins the work under way for `key`, or begins it. It goes on as long as one of those who wait for it does; the signal
   * given to `work` aborts when the last has gone. Rejects with the reason of `signal` on abort.
   */
  join(key: string, work: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T>;
}

type Flight<T> = { readonly result: Promise<T>; readonly controller: AbortController; waiting: number };

/** Returns flights of which none is under way. */
export function createSharedFlights<T>(): SharedFlights<T> {
  const flights = new Map<string, Flight<T>>();

  function begin(key: string, work: (signal: AbortSignal) => Promise<T>): Flight<T> {
    const controller = new AbortController();
    const result = work(controller.signal).finally(() => forget(key, flight));
    // Whoever still waits sees it; when nobody does, nobody is left to tell.
    result.catch(() => {});
    const flight: Flight<T> = { result, controller, waiting: 0 };
    flights.set(key, flight);
    return flight;
  }

  function forget(key: string, flight: Flight<T>): void {
    if (flights.get(key) === flight) flights.delete(key);
  }

  return {
    async join(key, work, signal) {
      signal.throwIfAborted();
      const flight = flights.get(key) ?? begin(key, work);
      flight.waiting += 1;
      const aborted = Promise.withResolvers<never>();
      const abort = (): void => aborted.reject(signal.reason);
      signal.addEventListener("abort", abort, { once: true });
      try {
        return await Promise.race([flight.result, aborted.promise]);
      } finally {
        signal.removeEventListener("abort", abort);
        flight.waiting -= 1;
        if (flight.waiting === 0) {
          forget(key, flight);
          flight.controller.abort();
        }
      }
    },
  };
}

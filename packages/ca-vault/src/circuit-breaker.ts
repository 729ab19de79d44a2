import { type Clock, createBackoff, type Random } from "@signet/runtime";

/** "open" lets nothing through, "half-open" one call, to see whether the other side is back. */
export type CircuitState = "closed" | "open" | "half-open";

/** The right to make one call, and the duty to say once how it went. */
export interface CircuitPermit {
  /** The other side answered, whatever it said. */
  succeeded(): void;
  /** The other side did not answer, or could not serve. */
  failed(): void;
  /** The caller went away before anyone could tell. */
  abandoned(): void;
}

/** Keeps calls away from a backend that is down, so that they fail at once instead of after their deadline. */
export interface CircuitBreaker {
  state(): CircuitState;
  /** Whether a call would be let through now. */
  admits(): boolean;
  /** Undefined while calls are kept away. */
  admit(): CircuitPermit | undefined;
}

/** When a breaker opens, and for how long. */
export type CircuitBreakerOptions = {
  /** Failures in a row that open it. */
  readonly failuresToOpen: number;
  /** The first wait before a probe, and the longest, in milliseconds; each is drawn from the upper half of its range. */
  readonly initialMs: number;
  readonly maxMs: number;
  readonly onChange: (state: CircuitState) => void;
};

/** Returns a closed breaker. */
export function createCircuitBreaker(
  options: CircuitBreakerOptions,
  { clock, random }: { readonly clock: Clock; readonly random: Random },
): CircuitBreaker {
  const { failuresToOpen, initialMs, maxMs, onChange } = options;
  const backoff = createBackoff({ initialMs, maxMs, minMs: initialMs / 2 }, random);
  let state: CircuitState = "closed";
  let failures = 0;
  let probeAt = 0;

  function change(next: CircuitState): void {
    if (state === next) return;
    state = next;
    onChange(next);
  }

  function open(): void {
    probeAt = clock.now().getTime() + backoff.nextMs();
    change("open");
  }

  function permit(probe: boolean): CircuitPermit {
    let used = false;
    const once = (end: () => void) => (): void => {
      if (!used) end();
      used = true;
    };
    return {
      succeeded: once(() => {
        failures = 0;
        // A call from before the breaker opened proves as much as a probe.
        backoff.reset();
        change("closed");
      }),
      failed: once(() => {
        failures += 1;
        if (probe || (state === "closed" && failures >= failuresToOpen)) open();
      }),
      abandoned: once(() => {
        // Nothing was learnt: the next call may be the probe.
        if (probe && state === "half-open") change("open");
      }),
    };
  }

  function admits(): boolean {
    if (state !== "open") return state === "closed";
    const leftMs = probeAt - clock.now().getTime();
    // The wall clock may step back by more than any wait of ours.
    return leftMs <= 0 || leftMs > maxMs;
  }

  return {
    state: () => state,
    admits,
    admit() {
      if (!admits()) return undefined;
      if (state === "closed") return permit(false);
      change("half-open");
      return permit(true);
    },
  };
}

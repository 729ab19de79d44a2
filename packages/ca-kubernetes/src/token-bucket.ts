import type { Clock } from "@signet/runtime";

/** Bounds how often something is done: `burst` times at once, after that once every `intervalMs`. */
export interface TokenBucket {
  /** Resolves when it may be done once more. Rejects with `signal.reason` on abort. */
  take(signal: AbortSignal): Promise<void>;
}

/** Returns a full bucket. A wall clock that is set forward fills it, one that is set back delays the next refill. */
export function createTokenBucket(
  options: { readonly burst: number; readonly intervalMs: number },
  clock: Clock,
): TokenBucket {
  const { burst, intervalMs } = options;
  let tokens = burst;
  let refilledAt = clock.now().getTime();

  function refill(): void {
    const now = clock.now().getTime();
    tokens = Math.min(burst, tokens + Math.max(0, now - refilledAt) / intervalMs);
    refilledAt = now;
  }

  return {
    async take(signal) {
      signal.throwIfAborted();
      for (refill(); tokens < 1; refill()) {
        await clock.sleep(Math.ceil((1 - tokens) * intervalMs), signal);
      }
      tokens -= 1;
    },
  };
}

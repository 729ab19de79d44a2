import { CaError } from "@signet/ca";

/** Lets a bounded number of calls at a time do something, and a bounded number wait, of whom no peer can keep out another. */
export interface FairAdmission {
  /**
   * What `work` returns, begun as soon as there is room.
   *
   * Rejects with `signal.reason` when aborted while it waits; once begun, `work` has to listen to the signal itself.
   * @throws CaError `overloaded` at once when there is no room for one more of `peer`, or later when one of another peer,
   *   which has fewer waiting, takes the place
   */
  run<T>(peer: string, work: () => Promise<T>, signal: AbortSignal): Promise<T>;
}

type Waiter = { readonly begin: () => void; readonly drop: (reason: CaError) => void };

/** What one peer has; forgotten when it has nothing. */
type Share = { running: number; readonly waiting: Set<Waiter> };

/**
 * Returns an admission with room for `maxConcurrent` calls, and for `maxQueued` that wait.
 *
 * One peer may have all of it for as long as nobody else comes. Then room that becomes free goes to whoever has the least
 * running, and who comes when all places are taken gets that of the latest of whoever has the most waiting, unless that is
 * itself. So a peer that fills everything keeps out itself, and gateways with many callers behind them are not held to a
 * share while there is room.
 */
export function createFairAdmission(options: {
  readonly maxConcurrent: number;
  readonly maxQueued: number;
}): FairAdmission {
  const { maxConcurrent, maxQueued } = options;
  const shares = new Map<string, Share>();
  let running = 0;
  let waiting = 0;

  function shareOf(peer: string): Share {
    const known = shares.get(peer);
    if (known !== undefined) return known;
    const share = { running: 0, waiting: new Set<Waiter>() };
    shares.set(peer, share);
    return share;
  }

  function forgetIfIdle(peer: string, share: Share): void {
    // By the time the last of several who were dropped comes here, the peer may have a new share.
    if (share.running === 0 && share.waiting.size === 0 && shares.get(peer) === share) shares.delete(peer);
  }

  /** Whoever has most of what `count` counts, above `least`. */
  function most(count: (share: Share) => number, least: number): Share | undefined {
    let found: Share | undefined;
    for (const share of shares.values()) {
      if (count(share) > (found === undefined ? least : count(found))) found = share;
    }
    return found;
  }

  function makePlace(share: Share): void {
    if (waiting < maxQueued) return;
    const reason = new CaError("overloaded", `${running} calls are under way and ${waiting} wait`);
    const victim = [...(most(({ waiting: { size } }) => size, share.waiting.size + 1)?.waiting ?? [])].at(-1);
    if (victim === undefined) throw reason;
    victim.drop(reason);
  }

  function wait(share: Share, signal: AbortSignal): Promise<void> {
    makePlace(share);
    return new Promise((resolve, reject) => {
      const leave = (): void => end(() => reject(signal.reason));
      function end(settle: () => void): void {
        signal.removeEventListener("abort", leave);
        if (share.waiting.delete(waiter)) waiting -= 1;
        settle();
      }
      const waiter: Waiter = { begin: () => end(resolve), drop: (reason) => end(() => reject(reason)) };
      share.waiting.add(waiter);
      waiting += 1;
      signal.addEventListener("abort", leave, { once: true });
    });
  }

  /** Hands the room on: the least running first, and of one peer whoever has waited longest. */
  function exit(share: Share): void {
    share.running -= 1;
    const next = most((other) => (other.waiting.size > 0 ? maxConcurrent - other.running : -1), -1);
    const [longest] = next?.waiting ?? [];
    if (next === undefined || longest === undefined) {
      running -= 1;
      return;
    }
    next.running += 1;
    longest.begin();
  }

  return {
    async run(peer, work, signal) {
      signal.throwIfAborted();
      const share = shareOf(peer);
      try {
        if (running < maxConcurrent) {
          running += 1;
          share.running += 1;
        } else {
          await wait(share, signal);
        }
        try {
          return await work();
        } finally {
          exit(share);
        }
      } finally {
        forgetIfIdle(peer, share);
      }
    },
  };
}

import { type KubernetesApi, resources } from "@signet/kubernetes";
import { type Clock, createBackoff, type Random, withDeadline } from "@signet/runtime";
import type { CsrSigningEvents } from "./csr-events.ts";

/** Deletes requests that have served their purpose, without keeping anybody waiting. */
export interface RequestRemoval {
  /**
   * Begins to delete; never throws. A request that `mayComeLater`, since nobody knows whether its creation was heard, is
   * deleted once more after a while, whatever the first deletion found.
   */
  remove(name: string, options?: { readonly mayComeLater?: boolean }): void;
  /** Resolves when nothing is left to be deleted; after 15 seconds gives up what is. */
  settle(): Promise<void>;
}

/** A deletion has a short deadline of its own: the caller may be long gone. */
const attemptDeadlineMs = 5_000;
/** How long an API server that does not answer is asked to delete one request. */
const persistenceMs = 600_000;
/** Longer than the API server keeps a call that it has taken. */
const secondLookMs = 90_000;
const settleDeadlineMs = 15_000;

/** Returns a remover that asks again, with growing waits, for ten minutes, and then reports a request as left behind. */
export function createRequestRemoval(
  api: KubernetesApi,
  dependencies: { readonly clock: Clock; readonly random: Random; readonly events: CsrSigningEvents },
): RequestRemoval {
  const { clock, random, events } = dependencies;
  const ending = new AbortController();
  const giveUp = new AbortController();
  const { signal } = giveUp;
  const underWay = new Set<Promise<void>>();

  async function removeNow(name: string): Promise<void> {
    const backoff = createBackoff({ initialMs: 500, maxMs: 60_000, minMs: 50 }, random);
    const deadline = { clock, ms: attemptDeadlineMs, what: "deleting a request" };
    const startedAt = clock.now().getTime();
    const attempt = (removing: AbortSignal): Promise<void> =>
      api.remove(resources.certificateSigningRequests, { name }, removing);
    for (;;) {
      try {
        return await withDeadline(deadline, attempt, signal);
      } catch (error) {
        if (signal.aborted || clock.now().getTime() - startedAt >= persistenceMs) throw error;
      }
      await clock.sleep(backoff.nextMs(), signal);
    }
  }

  async function removeFor(name: string, mayComeLater: boolean): Promise<void> {
    try {
      await removeNow(name);
      if (!mayComeLater) return;
      // At the end there is no time to wait, but for the look itself.
      await clock.sleep(secondLookMs, ending.signal).catch(() => {});
      await removeNow(name);
    } catch (error) {
      events.leftBehind({ name, error });
    }
  }

  return {
    remove(name, { mayComeLater = false } = {}) {
      const removal = removeFor(name, mayComeLater).finally(() => underWay.delete(removal));
      underWay.add(removal);
    },
    async settle() {
      ending.abort();
      const ended = new AbortController();
      const late = clock.sleep(settleDeadlineMs, ended.signal).then(
        () => giveUp.abort(new Error("the CA stops")),
        () => {},
      );
      while (underWay.size > 0) await Promise.all(underWay);
      ended.abort();
      await late;
    },
  };
}

import { type KubernetesApi, resources } from "@signet/kubernetes";
import { type Clock, createBackoff, type Random, withDeadline } from "@signet/runtime";
import type { CsrSigningEvents } from "./csr-events.ts";

/** Deletes requests that have served their purpose, without keeping anybody waiting. */
export interface RequestRemoval {
  /** Begins to delete; never throws. */
  remove(name: string): void;
  /** Resolves when nothing is left to be deleted, or has been given up. */
  settle(): Promise<void>;
}

/** A deletion has a short deadline of its own: the caller may be long gone. */
const attemptDeadlineMs = 5_000;
const maxAttempts = 3;

/** Returns a remover that tries three times for each request, and then reports it as left behind. */
export function createRequestRemoval(
  api: KubernetesApi,
  dependencies: { readonly clock: Clock; readonly random: Random; readonly events: CsrSigningEvents },
): RequestRemoval {
  const { clock, random, events } = dependencies;
  const { signal } = new AbortController();
  const underWay = new Set<Promise<void>>();

  async function removeNow(name: string): Promise<void> {
    const backoff = createBackoff({ initialMs: 500, maxMs: 2_000, minMs: 50 }, random);
    const deadline = { clock, ms: attemptDeadlineMs, what: "deleting a request" };
    for (let attempt = 1; ; attempt++) {
      try {
        await withDeadline(
          deadline,
          (removing) => api.remove(resources.certificateSigningRequests, { name }, removing),
          signal,
        );
        return;
      } catch (error) {
        if (attempt === maxAttempts) return events.leftBehind({ name, error });
      }
      await clock.sleep(backoff.nextMs(), signal);
    }
  }

  return {
    remove(name) {
      const removal = removeNow(name).finally(() => underWay.delete(removal));
      underWay.add(removal);
    },
    async settle() {
      while (underWay.size > 0) await Promise.all(underWay);
    },
  };
}

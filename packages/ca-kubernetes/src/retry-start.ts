import { KubernetesError } from "@signet/kubernetes";
import { type Clock, createBackoff, errorMessage, formatDuration, type Random } from "@signet/runtime";
import { CaKubernetesError } from "./errors.ts";
import type { SecretCaEvents } from "./secret-ca.ts";

/** What is tried until it succeeds. */
export type StartAttempt<T> = {
  /** `<namespace>/<name>`, for events and messages. */
  readonly secret: string;
  readonly attempt: () => Promise<T>;
  /** From the first failure on, in milliseconds; default 20 minutes, as istiod. */
  readonly deadlineMs: number | undefined;
};

const defaultDeadlineMs = 1_200_000;

/**
 * Tries again, with growing waits, while the API server is what stands in the way: it may come up later than we do, and
 * so may our permissions.
 * @throws CaKubernetesError `secret-unavailable` after the deadline; at once whatever is not the API server's
 */
export async function retryStart<T>(
  { secret, attempt, deadlineMs = defaultDeadlineMs }: StartAttempt<T>,
  dependencies: { readonly clock: Clock; readonly random: Random; readonly events: SecretCaEvents },
  signal: AbortSignal,
): Promise<T> {
  const { clock, random, events } = dependencies;
  const backoff = createBackoff({ initialMs: 500, maxMs: 60_000, minMs: 100 }, random);
  const startedAt = clock.now().getTime();
  for (;;) {
    signal.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      if (!isPassing(error)) throw error;
      const leftMs = startedAt + deadlineMs - clock.now().getTime();
      if (leftMs <= 0) {
        const message = `Secret ${secret} could not be had within ${formatDuration(deadlineMs)}: ${errorMessage(error)}`;
        throw new CaKubernetesError("secret-unavailable", message, { cause: error });
      }
      const retryMs = backoff.nextMs(leftMs);
      if (error instanceof KubernetesError) events.startDelayed({ secret, error, retryMs });
      await clock.sleep(retryMs, signal);
    }
  }
}

function isPassing(error: unknown): boolean {
  if (error instanceof CaKubernetesError) return error.code === "secret-taken";
  return error instanceof KubernetesError && error.code !== "config-invalid";
}

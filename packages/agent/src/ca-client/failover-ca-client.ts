import { Status, StatusError } from "@signet/grpc";
import { RuntimeError } from "@signet/runtime";
import type { CaClient } from "./ca-client.ts";

/** Told when another CA is asked from now on; `index` is its place among the addresses. */
export type CaFailoverEvents = {
  readonly switched: (event: { readonly index: number; readonly error: unknown }) => void;
};

/**
 * A client of several CA servers that stand for each other: it asks one of them until that cannot be reached or does not
 * answer, and then the next, round and round. One that refuses has answered, and is asked again.
 *
 * Each call goes to one CA alone, so that it ends within one deadline; the caller tries again, as it does anyway.
 */
export function createFailoverCaClient(clients: readonly CaClient[], events: CaFailoverEvents): CaClient {
  let index = 0;
  return {
    async createCertificate(csrPem, ttlSeconds, signal) {
      const asked = index;
      const client = clients[asked];
      if (client === undefined) throw new RangeError("there is no CA to ask");
      try {
        return await client.createCertificate(csrPem, ttlSeconds, signal);
      } catch (error) {
        if (clients.length > 1 && asked === index && isUnreachable(error, signal)) {
          index = (asked + 1) % clients.length;
          events.switched({ index, error });
        }
        throw error;
      }
    },
  };
}

const unreachable: readonly Status[] = [Status.UNAVAILABLE, Status.DEADLINE_EXCEEDED];

/** A call that was given up for its time counts as well, one that was given up because the agent ends does not. */
function isUnreachable(error: unknown, signal: AbortSignal): boolean {
  if (signal.aborted) return signal.reason instanceof RuntimeError && signal.reason.code === "deadline-exceeded";
  return error instanceof StatusError && unreachable.includes(error.code);
}

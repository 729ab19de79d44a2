import type { JwksEvents } from "@signet/jwt";
import type { Logger } from "@signet/runtime";
import { logEvent } from "./log-events.ts";

/** Keys are fetched every few minutes; only news of them is logged: the first, other keys, and the end of an outage. */
export function createKeyEvents(logger: Logger): JwksEvents {
  const known = new Map<string, number>();
  return {
    fetched({ issuer, keyCount, skipped }): void {
      if (keyCount !== known.get(issuer)) logEvent(logger, "token issuer keys fetched", { issuer, keyCount, skipped });
      known.set(issuer, keyCount);
    },
    fetchFailed({ issuer, error }): void {
      known.delete(issuer);
      logEvent(logger, "token issuer keys unavailable", { issuer, error });
    },
  };
}

import type { Clock, Logger, Source, Task } from "@signet/runtime";
import { formatHostPort } from "@signet/runtime";
import { agentEvents, logEvent } from "./events.ts";
import { type IdentityCache, openIdentityCache } from "./identity/identity-cache.ts";
import { notAfterOf, type WorkloadIdentity } from "./identity/workload-identity.ts";
import { describeIdentity } from "./report-identity.ts";
import type { AgentSettings } from "./settings.ts";

/** The cache, where there is one, and what it held. */
export type Restored = { readonly cache?: IdentityCache; readonly restored?: WorkloadIdentity };

/** Returns the identity that an earlier start has kept, if it can be used; whatever is wrong with it never stops the agent. */
export async function restoreIdentity(
  settings: AgentSettings,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): Promise<Restored> {
  if (settings.identityCache === "") return {};
  let cache: IdentityCache | undefined;
  try {
    cache = await openIdentityCache(settings.identityCache, { purpose: purposeOf(settings) });
    const restored = await cache?.load(clock.now());
    if (cache === undefined) return {};
    if (restored === undefined) return { cache };
    logEvent(logger, agentEvents.identityRestored, describeIdentity(restored));
    return { cache, restored };
  } catch (error) {
    logEvent(logger, agentEvents.identityCacheUnusable, { error });
    return cache === undefined ? {} : { cache };
  }
}

/** The task that keeps each identity for the next start. */
export function keepIdentity(cache: IdentityCache, identity: Source<WorkloadIdentity>, logger: Logger): Task {
  return cache.keep(identity, (error) => logEvent(logger, agentEvents.identityCacheUnusable, { error }));
}

/** Whether what is served is not what the CA has just confirmed: from an earlier start, or past its end. */
export function isStale(
  current: WorkloadIdentity | undefined,
  { restored, clock }: { readonly restored: WorkloadIdentity | undefined; readonly clock: Clock },
): boolean {
  return current !== undefined && (current === restored || notAfterOf(current) <= clock.now());
}

/** What an identity is for: one that was asked of another CA, or for somebody else, is not taken up. */
function purposeOf({ caAddress, trustDomain, namespace, serviceAccount }: AgentSettings): string {
  return [formatHostPort(caAddress), trustDomain, namespace, serviceAccount].join(" ");
}

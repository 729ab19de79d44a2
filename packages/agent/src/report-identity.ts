import type { Clock, Logger } from "@signet/runtime";
import { serialNumberHex } from "@signet/x509";
import { agentEvents, logEvent } from "./events.ts";
import { isPlaceholder } from "./identity/requested-spiffe-id.ts";
import { type IdentityEvents, notAfterOf, type WorkloadIdentity } from "./identity/workload-identity.ts";
import type { AgentMetrics } from "./metrics.ts";

/** Istio's CA dates certificates two minutes back: peers whose clocks are further behind than that refuse new ones. */
const alarmingSkewMs = 60_000;

const csr = { request_type: "csr" } as const;

/** Turns what happens to the identity into log lines and metrics, and keeps the last failure since the last success. */
export function reportIdentity(
  metrics: AgentMetrics,
  dependencies: { readonly logger: Logger; readonly clock: Clock; readonly startedAt: Date },
): IdentityEvents & { lastFailure(): unknown } {
  const { logger, clock, startedAt } = dependencies;
  let lastFailure: unknown;

  return {
    lastFailure: () => lastFailure,
    requested({ attempt }) {
      metrics.outgoingRequests.add(csr);
      if (attempt > 1) metrics.outgoingRetries.add(csr);
    },
    issued({ identity, previous, requestedSpiffeId, renewAt, attempt, durationMs, clockAheadMs }) {
      lastFailure = undefined;
      metrics.clockAheadSeconds.set({}, clockAheadMs / 1000);
      if (Math.abs(clockAheadMs) >= alarmingSkewMs) logEvent(logger, agentEvents.clockSkewed, { clockAheadMs });
      metrics.outgoingLatency.add(csr, durationMs);
      metrics.svidsIssued.add({});
      if (previous === undefined) metrics.startupSeconds.set({}, (clock.now().getTime() - startedAt.getTime()) / 1000);
      logEvent(logger, agentEvents.svidIssued, { ...describeIdentity(identity), renewAt, attempt, durationMs });
      const { spiffeId } = identity.svid;
      const previousSpiffeId = previous?.svid.spiffeId;
      if (previousSpiffeId !== undefined && previousSpiffeId !== spiffeId) {
        logEvent(logger, agentEvents.spiffeIdChanged, { previousSpiffeId, spiffeId });
      }
      if (spiffeId !== requestedSpiffeId && spiffeId !== previousSpiffeId && !isPlaceholder(requestedSpiffeId)) {
        logEvent(logger, agentEvents.spiffeIdUnexpected, { requestedSpiffeId, spiffeId });
      }
    },
    failed({ error, attempt, durationMs, retryInMs, current }) {
      lastFailure = error;
      metrics.outgoingLatency.add(csr, durationMs);
      metrics.failedOutgoingRequests.add(csr);
      const notAfter = current === undefined ? undefined : notAfterOf(current);
      const valid = notAfter !== undefined && notAfter > clock.now();
      const event = valid ? agentEvents.svidRequestFailed : agentEvents.svidMissing;
      logEvent(logger, event, { error, attempt, durationMs, retryInMs, notAfter });
    },
    early({ notBefore, publishAt }) {
      if (publishAt === undefined) logEvent(logger, agentEvents.svidEarly, { notBefore });
      else logEvent(logger, agentEvents.svidHeld, { notBefore, publishAt });
    },
  };
}

/** What a log line says of an identity. */
export function describeIdentity({ svid, trustBundles }: WorkloadIdentity): {
  readonly spiffeId: string;
  readonly serialNumber: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly authorities: number;
} {
  const [leaf] = svid.chain;
  const authorities = [...trustBundles.values()].reduce((sum, bundle) => sum + bundle.authorities.length, 0);
  const { notBefore, notAfter } = leaf;
  return { spiffeId: svid.spiffeId, serialNumber: serialNumberHex(leaf), notBefore, notAfter, authorities };
}

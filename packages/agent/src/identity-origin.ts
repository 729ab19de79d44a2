import { type Clock, formatHostPort, type Logger, type Random, type Source, type Task } from "@signet/runtime";
import { describeName } from "@signet/x509";
import { mountedMeshRoot } from "./ca-client/ca-endpoint.ts";
import { readTokenFile, type TokenFileResult } from "./ca-client/token-file.ts";
import { agentEvents, logEvent } from "./events.ts";
import { createFileIdentity, type IdentityFiles } from "./identity/file-identity.ts";
import { requestedSpiffeId } from "./identity/requested-spiffe-id.ts";
import { withMountedRoots } from "./identity/trust-bundle-source.ts";
import { createWorkloadIdentity, notAfterOf, type WorkloadIdentity } from "./identity/workload-identity.ts";
import type { AgentMetrics } from "./metrics.ts";
import { openCaClient } from "./open-ca-client.ts";
import { describeIdentity, reportIdentity } from "./report-identity.ts";
import { isStale, keepIdentity, restoreIdentity } from "./restore-identity.ts";
import { type AgentSettings, workloadKeyType } from "./settings.ts";

/** Where the identity comes from: a CA that is asked again and again, or files that somebody else keeps fresh. */
export type IdentityOrigin = {
  /** As consumers see it. */
  readonly identity: Source<WorkloadIdentity>;
  readonly isStale: () => boolean;
  readonly lastFailure: () => unknown;
  /** None where there is no CA. */
  readonly caAddresses: readonly string[];
  readonly tasks: readonly Task[];
  close(): void;
};

export type OriginDependencies = {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly startedAt: Date;
};

/** The identity that a CA gives, with one of an earlier start until then. */
export async function originFromCa(
  settings: AgentSettings,
  metricsOf: (origin: Pick<IdentityOrigin, "identity" | "isStale">) => AgentMetrics,
  { clock, random, logger, startedAt }: OriginDependencies,
): Promise<IdentityOrigin> {
  const token = (): Promise<TokenFileResult> => readTokenFile(settings.tokenFile);
  const { cache, restored } = await restoreIdentity(settings, { clock, logger });
  // The metrics are read when somebody scrapes them, by when there is a workload.
  const current = (): WorkloadIdentity | undefined => workload.identity.current();
  const isStaleNow = (): boolean => isStale(current(), { restored, clock });
  const metrics = metricsOf({
    identity: { current, changes: (signal) => workload.identity.changes(signal) },
    isStale: isStaleNow,
  });
  const report = reportIdentity(metrics, { logger, clock, startedAt });
  const caClient = openCaClient(settings, { token, logger });
  const workload = createWorkloadIdentity(
    {
      keyType: workloadKeyType(settings),
      ttlSeconds: Math.floor(settings.ttlMs / 1000),
      caBackdatingMs: settings.caBackdatingMs,
      rotation: { graceRatio: settings.graceRatio, graceRatioJitter: settings.graceRatioJitter },
      ...(restored !== undefined && { initial: restored }),
    },
    {
      caClient,
      requestedSpiffeId: async () => requestedSpiffeId(settings, await token()),
      events: report,
      clock,
      random,
    },
  );
  const served = servedIdentity(settings, workload.identity, { clock, logger });
  return {
    identity: served.identity,
    isStale: isStaleNow,
    lastFailure: report.lastFailure,
    caAddresses: [settings.caAddress, ...settings.caFallbacks].map(formatHostPort),
    tasks: [
      workload.task,
      ...served.tasks,
      ...(cache === undefined ? [] : [keepIdentity(cache, served.identity, logger)]),
    ],
    close: () => caClient.close(),
  };
}

/** The identity in files; nobody is asked for one, and no token is read. */
export function originFromFiles(
  files: IdentityFiles,
  metricsOf: (origin: Pick<IdentityOrigin, "identity" | "isStale">) => AgentMetrics,
  { clock, logger, startedAt }: OriginDependencies,
): IdentityOrigin {
  let seen = false;
  const { identity, task, lastFailure } = createFileIdentity(files, {
    clock,
    events: {
      loaded(event) {
        if (!seen) metrics.startupSeconds.set({}, (clock.now().getTime() - startedAt.getTime()) / 1000);
        seen = true;
        logEvent(logger, agentEvents.identityFilesLoaded, describeIdentity(event.identity));
      },
      failed: (event) => logEvent(logger, agentEvents.identityFilesUnusable, event),
    },
  });
  const isStaleNow = (): boolean => {
    const current = identity.current();
    return current !== undefined && notAfterOf(current) <= clock.now();
  };
  const metrics = metricsOf({ identity, isStale: isStaleNow });
  return { identity, isStale: isStaleNow, lastFailure, caAddresses: [], tasks: [task], close: () => undefined };
}

/** The identity as consumers see it: with the roots that are mounted, where Istio mounts the mesh's own. */
function servedIdentity(
  settings: AgentSettings,
  identity: Source<WorkloadIdentity>,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): { readonly identity: Source<WorkloadIdentity>; readonly tasks: readonly Task[] } {
  const rootFile = mountedMeshRoot(settings);
  if (rootFile === undefined) return { identity, tasks: [] };
  return withMountedRoots(
    { identity, rootFile },
    {
      clock,
      events: {
        rootsAdded({ path, authorities }) {
          const subjects = authorities.map(({ subject }) => describeName(subject));
          logEvent(logger, agentEvents.mountedRootsAdded, { path, subjects });
        },
        rootsUnreadable: (event) => logEvent(logger, agentEvents.mountedRootsUnreadable, event),
      },
    },
  );
}

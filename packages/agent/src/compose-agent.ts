import { randomBytes } from "node:crypto";
import {
  type Clock,
  createServingState,
  formatHostPort,
  type Logger,
  type Random,
  type ServingState,
  type Source,
  type Task,
} from "@signet/runtime";
import { describeName, type TrustBundle } from "@signet/x509";
import type { CaClient } from "./ca-client/ca-client.ts";
import { caEndpointOf, mountedMeshRoot } from "./ca-client/ca-endpoint.ts";
import { createFailoverCaClient } from "./ca-client/failover-ca-client.ts";
import { type CaClientEvents, createGrpcCaClient } from "./ca-client/grpc-ca-client.ts";
import { readTokenFile, type TokenFileResult } from "./ca-client/token-file.ts";
import { agentEvents, logEvent } from "./events.ts";
import { requestedSpiffeId } from "./identity/requested-spiffe-id.ts";
import { withMountedRoots } from "./identity/trust-bundle-source.ts";
import { createWorkloadIdentity, notAfterOf, type WorkloadIdentity } from "./identity/workload-identity.ts";
import { type AgentMetrics, createAgentMetrics } from "./metrics.ts";
import { createCertificateFiles } from "./output/certificate-files.ts";
import { reportFileSecrets } from "./report-file-secrets.ts";
import { reportIdentity } from "./report-identity.ts";
import { reportOutput } from "./report-output.ts";
import { isStale, keepIdentity, restoreIdentity } from "./restore-identity.ts";
import type { PrivateKeyFormat } from "./sds/envoy-secret.ts";
import { createFileSecrets, type FileSecrets } from "./sds/file-secrets.ts";
import { createSecretBoard, type SecretBoard } from "./sds/secret-board.ts";
import { createSecretPublisher } from "./sds/secret-publisher.ts";
import { type AgentSettings, reloadHookOf, sdsSocketPath, workloadKeyType } from "./settings.ts";

/** What the agent needs from the process it runs in. */
export type AgentDependencies = { readonly clock: Clock; readonly random: Random; readonly logger: Logger };

/** Everything the agent is made of, wired and not yet running. */
export type AgentParts = {
  readonly state: ServingState;
  readonly socketPath: string;
  readonly processId: string;
  readonly identity: Source<WorkloadIdentity>;
  readonly isStale: () => boolean;
  readonly lastFailure: () => unknown;
  readonly caAddresses: readonly string[];
  readonly clock: Clock;
  readonly metrics: AgentMetrics;
  readonly caClient: CaClient & { close(): void };
  readonly board: SecretBoard;
  readonly files: FileSecrets;
  readonly tasks: readonly Task[];
};

const caDeadlineMs = 10_000;

/** Makes the parts; an identity that was kept over a restart is in use at once. */
export async function composeAgent(
  settings: AgentSettings,
  { clock, random, logger }: AgentDependencies,
): Promise<AgentParts> {
  const startedAt = clock.now();
  const processId = randomBytes(4).toString("hex");
  const token = (): Promise<TokenFileResult> => readTokenFile(settings.tokenFile);

  const { cache, restored } = await restoreIdentity(settings, { clock, logger });
  const isStaleNow = (): boolean => isStale(workload.identity.current(), { restored, clock });
  const metrics = createAgentMetrics({
    secondsToExpiry: () => secondsToExpiry(workload.identity.current(), clock),
    isStale: isStaleNow,
  });
  const identityReport = reportIdentity(metrics, { logger, clock, startedAt });
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
      events: identityReport,
      clock,
      random,
    },
  );
  const served = servedIdentity(settings, workload.identity, { clock, logger });
  const { identity } = served;
  const board = createSecretBoard(`${startedAt.toISOString()}/${processId}`);
  const files = createFileSecrets({ board }, { clock, events: reportFileSecrets(logger) });
  const publisher = createSecretPublisher({
    identity,
    board,
    keyFormat: keyFormatOf(settings),
    onBundleChange: (bundle) => reportBundle(bundle, logger),
  });
  return {
    state: createServingState(),
    socketPath: sdsSocketPath(settings),
    processId,
    identity,
    isStale: isStaleNow,
    lastFailure: identityReport.lastFailure,
    caAddresses: [settings.caAddress, ...settings.caFallbacks].map(formatHostPort),
    clock,
    metrics,
    caClient,
    board,
    files,
    tasks: [
      workload.task,
      ...served.tasks,
      publisher,
      files.task,
      ...(cache === undefined ? [] : [keepIdentity(cache, identity, logger)]),
      ...outputTasks(settings, { identity, metrics }, { clock, random, logger }),
    ],
  };
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

/** What writes the identity into files, where there is a directory for them. */
function outputTasks(
  settings: AgentSettings,
  { identity, metrics }: { readonly identity: Source<WorkloadIdentity>; readonly metrics: AgentMetrics },
  { clock, random, logger }: AgentDependencies,
): readonly Task[] {
  const { outputCerts: directory, outputCertsGroup: groupId } = settings;
  if (directory === "") return [];
  const hook = reloadHookOf(settings);
  const options = { identity, directory, keyFormat: keyFormatOf(settings) };
  return [
    createCertificateFiles(
      { ...options, ...(groupId !== undefined && { groupId }), ...(hook !== undefined && { hook }) },
      { clock, random, events: reportOutput(metrics, logger) },
    ),
  ];
}

function keyFormatOf({ pkcs8Key }: AgentSettings): PrivateKeyFormat {
  return pkcs8Key ? "pkcs8" : "traditional";
}

function secondsToExpiry(identity: WorkloadIdentity | undefined, clock: Clock): number | undefined {
  return identity === undefined ? undefined : (notAfterOf(identity).getTime() - clock.now().getTime()) / 1000;
}

/** One client of all addresses of the CA. */
function openCaClient(
  settings: AgentSettings,
  { token, logger }: { readonly token: () => Promise<TokenFileResult>; readonly logger: Logger },
): CaClient & { close(): void } {
  const addresses = [settings.caAddress, ...settings.caFallbacks];
  const clients = addresses.map((caAddress) =>
    createGrpcCaClient(
      {
        ...settings,
        endpoint: caEndpointOf({ ...settings, caAddress }),
        token,
        headers: settings.caHeaders,
        deadlineMs: caDeadlineMs,
      },
      reportCaClient(settings.tokenFile, { caAddress: formatHostPort(caAddress), logger }),
    ),
  );
  const { createCertificate } = createFailoverCaClient(clients, {
    switched({ index, error }) {
      const caAddress = formatHostPort(addresses[index] ?? settings.caAddress);
      logEvent(logger, agentEvents.caSwitched, { caAddress, error });
    },
  });
  return {
    createCertificate,
    close() {
      for (const client of clients) client.close();
    },
  };
}

function reportCaClient(
  tokenFile: string,
  { caAddress, logger }: { readonly caAddress: string; readonly logger: Logger },
): CaClientEvents {
  return {
    tokenUnavailable: ({ reason }) => logEvent(logger, agentEvents.tokenUnavailable, { tokenFile, reason }),
    connecting: ({ serverName }) => logEvent(logger, agentEvents.caConnectionOpened, { caAddress, serverName }),
  };
}

function reportBundle(bundle: TrustBundle, logger: Logger): void {
  const subjects = bundle.authorities.map(({ subject }) => describeName(subject));
  logEvent(logger, agentEvents.trustBundleChanged, { authorities: subjects.length, subjects });
  const { skipped } = bundle;
  if (skipped.length > 0) logEvent(logger, agentEvents.trustBundleSkipped, { skipped });
}

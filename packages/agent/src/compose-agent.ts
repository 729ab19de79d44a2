import { randomBytes } from "node:crypto";
import {
  type Clock,
  createServingState,
  type Logger,
  type Random,
  type ServingState,
  type Source,
  type Task,
} from "@signet/runtime";
import { describeName, type TrustBundle } from "@signet/x509";
import { agentEvents, logEvent } from "./events.ts";
import { findIdentityFiles } from "./identity/file-identity.ts";
import { notAfterOf, type WorkloadIdentity } from "./identity/workload-identity.ts";
import { type IdentityOrigin, type OriginDependencies, originFromCa, originFromFiles } from "./identity-origin.ts";
import { type AgentMetrics, createAgentMetrics } from "./metrics.ts";
import { createCertificateFiles } from "./output/certificate-files.ts";
import { reportFileSecrets } from "./report-file-secrets.ts";
import { reportOutput } from "./report-output.ts";
import type { PrivateKeyFormat } from "./sds/envoy-secret.ts";
import { createFileSecrets, type FileSecrets } from "./sds/file-secrets.ts";
import { createSecretBoard, type SecretBoard } from "./sds/secret-board.ts";
import { createSecretPublisher } from "./sds/secret-publisher.ts";
import { type AgentSettings, reloadHookOf, sdsSocketPath } from "./settings.ts";

/** What the agent needs from the process it runs in. */
export type AgentDependencies = { readonly clock: Clock; readonly random: Random; readonly logger: Logger };

/** Everything the agent is made of, wired and not yet running. */
export type AgentParts = {
  readonly state: ServingState;
  readonly socketPath: string;
  readonly processId: string;
  readonly clock: Clock;
  readonly metrics: AgentMetrics;
  readonly origin: IdentityOrigin;
  readonly board: SecretBoard;
  readonly files: FileSecrets;
  readonly tasks: readonly Task[];
};

/** Makes the parts; an identity that was kept over a restart is in use at once. */
export async function composeAgent(settings: AgentSettings, dependencies: AgentDependencies): Promise<AgentParts> {
  const { clock, logger } = dependencies;
  const startedAt = clock.now();
  const processId = randomBytes(4).toString("hex");
  const { origin, metrics } = await openOrigin(settings, { ...dependencies, startedAt });
  const { identity } = origin;
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
    clock,
    metrics,
    origin,
    board,
    files,
    tasks: [...origin.tasks, publisher, files.task, ...outputTasks(settings, { identity, metrics }, dependencies)],
  };
}

/** Where the identity comes from, and the metrics that tell of it. */
async function openOrigin(
  settings: AgentSettings,
  dependencies: OriginDependencies,
): Promise<{ readonly origin: IdentityOrigin; readonly metrics: AgentMetrics }> {
  let metrics: AgentMetrics | undefined;
  const metricsOf = ({ identity, isStale }: Pick<IdentityOrigin, "identity" | "isStale">): AgentMetrics => {
    metrics ??= createAgentMetrics({
      secondsToExpiry: () => secondsToExpiry(identity.current(), dependencies.clock),
      isStale,
    });
    return metrics;
  };
  const files = await findIdentityFiles(settings.fileMountedCerts);
  const origin =
    files === undefined
      ? await originFromCa(settings, metricsOf, dependencies)
      : originFromFiles(files, metricsOf, dependencies);
  return { origin, metrics: metricsOf(origin) };
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

function reportBundle(bundle: TrustBundle, logger: Logger): void {
  const subjects = bundle.authorities.map(({ subject }) => describeName(subject));
  logEvent(logger, agentEvents.trustBundleChanged, { authorities: subjects.length, subjects });
  const { skipped } = bundle;
  if (skipped.length > 0) logEvent(logger, agentEvents.trustBundleSkipped, { skipped });
}

import { randomBytes } from "node:crypto";
import {
  type Clock,
  createServingState,
  formatHostPort,
  type HostPort,
  type Logger,
  type Random,
  runGroup,
  type Source,
  serveHttp,
  type Task,
} from "@signet/runtime";
import { describeName, type TrustBundle } from "@signet/x509";
import { caEndpointOf } from "./ca-client/ca-endpoint.ts";
import { type CaClientEvents, createGrpcCaClient } from "./ca-client/grpc-ca-client.ts";
import { readTokenFile, type TokenFileResult } from "./ca-client/token-file.ts";
import { agentEvents, logEvent } from "./events.ts";
import { requestedSpiffeId } from "./identity/requested-spiffe-id.ts";
import { createWorkloadIdentity, notAfterOf, type WorkloadIdentity } from "./identity/workload-identity.ts";
import { type AgentMetrics, createAgentMetrics } from "./metrics.ts";
import { openSockets } from "./open-sockets.ts";
import { createCertificateFiles } from "./output/certificate-files.ts";
import { reportFileSecrets } from "./report-file-secrets.ts";
import { reportIdentity } from "./report-identity.ts";
import { reportOutput } from "./report-output.ts";
import type { PrivateKeyFormat } from "./sds/envoy-secret.ts";
import { createFileSecrets } from "./sds/file-secrets.ts";
import { createSecretBoard } from "./sds/secret-board.ts";
import { createSecretPublisher } from "./sds/secret-publisher.ts";
import { type AgentSettings, reloadHookOf, sdsSocketPath, workloadKeyType } from "./settings.ts";
import { shutDownInOrder } from "./shutdown.ts";
import { statusRoutes } from "./status.ts";

/** What the agent needs from the process it runs in. */
export type AgentDependencies = { readonly clock: Clock; readonly random: Random; readonly logger: Logger };

/** An agent that runs. */
export interface RunningAgent {
  readonly statusAddress: HostPort;
  readonly socketPath: string;
  readonly identity: Source<WorkloadIdentity>;
  /** Settles when the agent has ended: resolves after `stop`, rejects when it failed by itself. */
  readonly ended: Promise<void>;
  /** Ends in order: not ready, SDS streams, rotation, connection to the CA, status port. Later calls join the first. */
  stop(): Promise<void>;
}

const drainGraceMs = 2_000;
const caDeadlineMs = 10_000;

/**
 * Starts the agent: SDS and status are served when it resolves, the first SVID may come later.
 * @throws AgentError `socket-directory-unusable`, GrpcError or RuntimeError when a socket cannot be served
 * @example
 * ```ts
 * import { parseAgentSettings, startAgent } from "@signet/agent";
 * import { createLogger, systemClock } from "@signet/runtime";
 * const result = parseAgentSettings(["--ca-addr", "localhost:15012", "--ca-root-ca", "root-cert.pem"], {});
 * if (result.kind === "settings") {
 *   const logger = createLogger({ name: "agent", level: "info" });
 *   const agent = await startAgent(result.settings, { clock: systemClock, random: Math.random, logger });
 *   await agent.stop();
 * }
 * ```
 */
export async function startAgent(settings: AgentSettings, dependencies: AgentDependencies): Promise<RunningAgent> {
  const { logger } = dependencies;
  const parts = composeAgent(settings, dependencies);
  const { state, socketPath, workload, publisher, files, output, caClient } = parts;

  const sockets = await openSockets(parts, settings, logger);
  const routes = statusRoutes({ ...parts, socketProblem: sockets.problem });
  const status = await serveHttp({ ...settings.statusListen, routes, logger }).catch(async (error: unknown) => {
    await sockets.drain(0);
    throw error;
  });
  const running = new AbortController();
  const ended = runGroup([workload.task, publisher, files.task, ...output, ...sockets.tasks], running.signal);
  ended.catch(() => undefined);
  state.set("serving");
  reportStart({ socketPath, statusAddress: status.address }, settings, logger);

  const steps = [
    ["stop serving", () => state.set("draining")],
    ["drain SDS and the Workload API", () => sockets.drain(drainGraceMs)],
    ["stop tasks", () => running.abort()],
    // A failure reaches the caller through `ended`.
    ["await tasks", () => ended.catch(() => undefined)],
    ["close the connection to the CA", () => caClient.close()],
    ["close the status port", () => status.close()],
  ] as const;

  async function shutDown(): Promise<void> {
    logEvent(logger, agentEvents.agentStopping, {});
    await shutDownInOrder(steps, logger);
    logEvent(logger, agentEvents.agentStopped, {});
  }

  let stopped: Promise<void> | undefined;
  return {
    statusAddress: status.address,
    socketPath,
    identity: workload.identity,
    ended,
    stop() {
      stopped ??= shutDown();
      return stopped;
    },
  };
}

/** Everything the agent is made of, wired and not yet running. */
function composeAgent(settings: AgentSettings, { clock, random, logger }: AgentDependencies) {
  const startedAt = clock.now();
  const processId = randomBytes(4).toString("hex");
  const token = (): Promise<TokenFileResult> => readTokenFile(settings.tokenFile);
  const endpoint = caEndpointOf(settings);

  const metrics = createAgentMetrics(() => secondsToExpiry(workload.identity.current(), clock));
  const identityReport = reportIdentity(metrics, { logger, clock, startedAt });
  const caClient = createGrpcCaClient(
    { ...settings, endpoint, token, headers: settings.caHeaders, deadlineMs: caDeadlineMs },
    reportCaClient(settings, logger),
  );
  const workload = createWorkloadIdentity(
    {
      keyType: workloadKeyType(settings),
      ttlSeconds: Math.floor(settings.ttlMs / 1000),
      rotation: { graceRatio: settings.graceRatio, graceRatioJitter: settings.graceRatioJitter },
    },
    {
      caClient,
      requestedSpiffeId: async () => requestedSpiffeId(settings, await token()),
      events: identityReport,
      clock,
      random,
    },
  );
  const board = createSecretBoard(`${startedAt.toISOString()}/${processId}`);
  const files = createFileSecrets({ board }, { clock, events: reportFileSecrets(logger) });
  const publisher = createSecretPublisher({
    identity: workload.identity,
    board,
    keyFormat: keyFormatOf(settings),
    onBundleChange: (bundle) => reportBundle(bundle, logger),
  });
  return {
    state: createServingState(),
    socketPath: sdsSocketPath(settings),
    processId,
    identity: workload.identity,
    lastFailure: identityReport.lastFailure,
    clock,
    metrics,
    caClient,
    workload,
    board,
    files,
    publisher,
    output: outputTasks(settings, { identity: workload.identity, metrics }, { clock, random, logger }),
  };
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

function reportStart(
  addresses: { readonly socketPath: string; readonly statusAddress: HostPort },
  settings: AgentSettings,
  logger: Logger,
): void {
  const { plaintext, address } = caEndpointOf(settings);
  const caAddress = formatHostPort(address);
  logEvent(logger, agentEvents.agentStarted, {
    caAddress,
    socket: addresses.socketPath,
    statusAddress: formatHostPort(addresses.statusAddress),
    requestedTtlSeconds: Math.floor(settings.ttlMs / 1000),
  });
  if (plaintext) logEvent(logger, agentEvents.plaintextCa, { caAddress });
}

function reportCaClient(settings: AgentSettings, logger: Logger): CaClientEvents {
  const { tokenFile } = settings;
  const caAddress = formatHostPort(settings.caAddress);
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

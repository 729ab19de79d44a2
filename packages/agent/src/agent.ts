import {
  formatHostPort,
  type HostPort,
  type Logger,
  runGroup,
  type Source,
  serveHttp,
  shutDownInOrder,
} from "@signet/runtime";
import { caEndpointOf } from "./ca-client/ca-endpoint.ts";
import { type AgentDependencies, composeAgent } from "./compose-agent.ts";
import { agentEvents, logEvent } from "./events.ts";
import type { WorkloadIdentity } from "./identity/workload-identity.ts";
import { openSockets } from "./open-sockets.ts";
import type { AgentSettings } from "./settings.ts";
import { statusRoutes } from "./status/status-routes.ts";

/** An agent that runs. */
export interface RunningAgent {
  readonly statusAddress: HostPort;
  readonly socketPath: string;
  readonly identity: Source<WorkloadIdentity>;
  /** Aborts when somebody on this machine asks the agent to end. */
  readonly quitting: AbortSignal;
  /** Settles when the agent has ended: resolves after `stop`, rejects when it failed by itself. */
  readonly ended: Promise<void>;
  /** Ends in order: not ready, SDS streams, rotation, connection to the CA, status port. Later calls join the first. */
  stop(): Promise<void>;
}

const drainGraceMs = 2_000;

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
  const parts = await composeAgent(settings, dependencies);
  const { state, socketPath, origin, tasks } = parts;
  const { identity } = origin;

  const sockets = await openSockets({ ...parts, identity }, settings, logger);
  const quit = new AbortController();
  const routes = statusRoutes({
    ...parts,
    ...origin,
    socketProblem: sockets.problem,
    streams: sockets.streams,
    quit: () => quit.abort(),
  });
  const status = await serveHttp({ ...settings.statusListen, routes, logger }).catch(async (error: unknown) => {
    await sockets.drain(0);
    throw error;
  });
  const running = new AbortController();
  const ended = runGroup([...tasks, ...sockets.tasks], running.signal);
  ended.catch(() => undefined);
  state.set("serving");
  reportStart({ socketPath, statusAddress: status.address }, settings, logger);

  const steps = [
    ["stop serving", () => state.set("draining")],
    ["drain SDS and the Workload API", () => sockets.drain(drainGraceMs)],
    ["stop tasks", () => running.abort()],
    // A failure reaches the caller through `ended`.
    ["await tasks", () => ended.catch(() => undefined)],
    ["close the connection to the CA", () => origin.close()],
    ["close the status port", () => status.close()],
  ] as const;

  async function shutDown(): Promise<void> {
    logEvent(logger, agentEvents.agentStopping, {});
    await shutDownInOrder(steps, (failed) => logEvent(logger, agentEvents.shutdownStepFailed, failed));
    logEvent(logger, agentEvents.agentStopped, {});
  }

  let stopped: Promise<void> | undefined;
  return {
    statusAddress: status.address,
    socketPath,
    identity,
    quitting: quit.signal,
    ended,
    stop() {
      stopped ??= shutDown();
      return stopped;
    },
  };
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

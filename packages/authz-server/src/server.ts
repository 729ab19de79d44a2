import { createHealthState, type HealthState, type ListenAddress, plaintextCredentials, serve } from "@signet/grpc";
import {
  createServingState,
  formatHostPort,
  type HostPort,
  type HttpServer,
  type Logger,
  runGroup,
  type ServingState,
  type ShutdownStep,
  serveHttp,
  shutDownInOrder,
} from "@signet/runtime";
import { authorizationService } from "./authorization-service.ts";
import {
  type AuthzServerDependencies,
  type CompleteSettings,
  composeServer,
  type ServerParts,
} from "./compose-server.ts";
import { authzEvents, logEvent } from "./events.ts";
import { serveHttpCheck } from "./serve-http-check.ts";
import { statusRoutes } from "./status.ts";

/** An authorization server that runs. */
export interface RunningAuthzServer {
  /** Where Check is served over gRPC, TCP. */
  readonly address: HostPort | undefined;
  readonly httpAddress: HostPort | undefined;
  readonly statusAddress: HostPort;
  /** Settles when the server has ended: resolves after `stop`, rejects when it failed by itself. */
  readonly ended: Promise<void>;
  /** Ends in order: not ready, checks under way, tasks, connections to providers, status port. Later calls join the first. */
  stop(): Promise<void>;
}

const defaultListen: HostPort = { host: "127.0.0.1", port: 9191 };
const drainGraceMs = 2_000;

/**
 * Starts the authorization server: Check is served when it resolves, by the documents there are.
 * @throws AuthzServerError `mesh-config-invalid`, `listen-failed`; AuthorizerError, GrpcError or RuntimeError where documents or sockets cannot be used
 * @example
 * ```ts
 * import { parseAuthzSettings, startAuthzServer } from "@signet/authz-server";
 * import { createLogger, systemClock } from "@signet/runtime";
 * const result = parseAuthzSettings(["--policies", "/etc/signet/policies"], {});
 * if (result.kind === "settings") {
 *   const logger = createLogger({ name: "authz", level: "info" });
 *   const server = await startAuthzServer(result.settings, { clock: systemClock, random: Math.random, logger });
 *   await server.stop();
 * }
 * ```
 */
export async function startAuthzServer(
  settings: CompleteSettings,
  dependencies: AuthzServerDependencies,
): Promise<RunningAuthzServer> {
  const { logger } = dependencies;
  const parts = await composeServer(settings, dependencies);
  const state = createServingState();
  const health = createHealthState();
  const sockets = await openSockets(parts, { settings, health, state, logger });
  const running = new AbortController();
  const ended = runGroup(parts.tasks, running.signal);
  ended.catch(() => undefined);
  state.set("serving");
  health.set("", true);
  reportStart(sockets, settings, logger);

  const steps: readonly ShutdownStep[] = [
    ["stop serving", () => state.set("draining")],
    ["tell clients", () => health.set("", false)],
    ["drain checks", () => sockets.drain(drainGraceMs)],
    ["stop tasks", () => running.abort()],
    // A failure reaches the caller through `ended`.
    ["await tasks", () => ended.catch(() => undefined)],
    ["close connections to providers", () => parts.providers.close()],
    ["close the status port", () => sockets.status.close()],
  ];
  async function shutDown(): Promise<void> {
    logEvent(logger, authzEvents.serverStopping, {});
    await shutDownInOrder(steps, (failed) => logEvent(logger, authzEvents.shutdownStepFailed, failed));
    logEvent(logger, authzEvents.serverStopped, {});
  }

  let stopped: Promise<void> | undefined;
  return {
    address: sockets.address,
    httpAddress: sockets.httpAddress,
    statusAddress: sockets.status.address,
    ended,
    stop() {
      stopped ??= shutDown();
      return stopped;
    },
  };
}

type Sockets = {
  readonly address: HostPort | undefined;
  readonly httpAddress: HostPort | undefined;
  readonly status: HttpServer;
  /** Of everything but the status port. */
  drain(graceMs: number): Promise<void>;
};

type SocketOptions = {
  readonly settings: CompleteSettings;
  readonly health: HealthState;
  readonly state: ServingState;
  readonly logger: Logger;
};

/** Opens all sockets, or none. */
async function openSockets(parts: ServerParts, { settings, health, state, logger }: SocketOptions): Promise<Sockets> {
  const { check } = parts;
  const open: ((graceMs: number) => Promise<void>)[] = [];
  const drain = async (graceMs: number): Promise<void> => void (await Promise.all(open.map((close) => close(graceMs))));
  try {
    let address: HostPort | undefined;
    for (const listen of listenAddresses(settings)) {
      const services = [authorizationService(check)];
      const listener = await serve({ listen, credentials: plaintextCredentials(), services, health });
      open.push((graceMs) => listener.drain(graceMs));
      if ("port" in listener.address) address = listener.address;
    }
    const http = settings.httpListen === undefined ? undefined : await serveHttpCheck(settings.httpListen, check);
    if (http !== undefined) open.push((graceMs) => http.close(graceMs));
    const routes = statusRoutes({ ...parts, state });
    const status = await serveHttp({ ...settings.statusListen, routes, logger });
    return { address, httpAddress: http?.address, status, drain };
  } catch (error) {
    await drain(0);
    parts.providers.close();
    throw error;
  }
}

function listenAddresses({ listen, socket, socketMode }: CompleteSettings): readonly ListenAddress[] {
  const unix: readonly ListenAddress[] =
    socket === "" ? [] : [{ socketPath: socket, mode: Number.parseInt(socketMode, 8) }];
  const tcp = listen ?? (socket === "" ? defaultListen : undefined);
  return tcp === undefined ? unix : [tcp, ...unix];
}

function reportStart(
  { address, httpAddress, status }: Sockets,
  { policies, socket, onFailure }: CompleteSettings,
  logger: Logger,
): void {
  logEvent(logger, authzEvents.serverStarted, {
    address: address && formatHostPort(address),
    socket: socket === "" ? undefined : socket,
    httpAddress: httpAddress && formatHostPort(httpAddress),
    statusAddress: formatHostPort(status.address),
    policies,
  });
  if (onFailure === "allow") logEvent(logger, authzEvents.failuresAllowed, {});
}

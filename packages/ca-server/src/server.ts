import { createCanary } from "@signet/ca";
import { bindService, createHealthState, type GrpcListener } from "@signet/grpc";
import { IstioCertificateService } from "@signet/protos/istio/security/v1alpha1/ca";
import {
  type Clock,
  createMetrics,
  createServingState,
  formatHostPort,
  type HostPort,
  type Logger,
  type Random,
  RuntimeError,
  runGroup,
  type Source,
  serveHttp,
} from "@signet/runtime";
import type { TrustBundle } from "@signet/x509";
import { createAuthenticators } from "./authenticators.ts";
import { createCallEvents } from "./call-events.ts";
import { createCertificateHandler } from "./certificate-service.ts";
import { logEvent } from "./log-events.ts";
import { applyMeshConfig } from "./mesh-config.ts";
import { createCaServerMetrics } from "./metrics.ts";
import { createMonitoringRoutes } from "./monitoring.ts";
import { openParts } from "./open-parts.ts";
import { createReadiness, createReadyRoute } from "./readiness.ts";
import { serveCa } from "./serve-ca.ts";
import { findServingFiles } from "./serving/certificate-files.ts";
import type { CaServerSettings } from "./settings.ts";
import { closeAll, type Opened } from "./shutdown.ts";
import { createReadinessTask } from "./watch-readiness.ts";

/** What a CA server needs besides its settings. */
export type CaServerDependencies = {
  readonly clock: Clock;
  readonly random: Random;
  /** Cryptographically strong, as `randomBytes` of node:crypto. */
  readonly randomBytes: (size: number) => Uint8Array;
  readonly logger: Logger;
  readonly version: string;
};

/** A CA server that accepts calls. */
export interface CaServer {
  readonly addresses: { readonly ca: HostPort; readonly ready: HostPort; readonly monitoring: HostPort };
  /** The X.509 authorities of what it issues. */
  readonly trustBundle: Source<TrustBundle>;
  /** Whether a certificate can be signed now; what `/ready` says. */
  ready(): Promise<boolean>;
  /** Resolves after `stop`; rejects when a background task failed, after which the server should be stopped. */
  readonly ended: Promise<void>;
  /** Stops gracefully; resolves when everything is closed. Never rejects. */
  stop(): Promise<void>;
}

/** Time for calls under way when the server stops. */
const graceMs = 10_000;
const healthServices = ["", IstioCertificateService.typeName];

/**
 * Starts a CA server and resolves once it accepts calls. It installs no signal handlers and writes only to `logger`, so
 * it can live in another process's tree.
 *
 * The CA is opened first, then come the HTTP ports, so that probes are answered (503) from then on, and the CA RPC last.
 * Vault, the Kubernetes API and issuers may be away: then it is not ready, refuses with UNAVAILABLE what it cannot tell
 * or sign, and recovers by itself. Whatever fails, everything opened until then is closed again.
 * @throws CaServerError, CaError, VaultError, KubernetesError `config-invalid`, RuntimeError `locked`, `listen-failed`,
 *   GrpcError `address-in-use`
 * @example
 * ```ts
 * import { randomBytes } from "node:crypto";
 * import { parseCaServerSettings, startCaServer } from "@signet/ca-server";
 * import { createLogger, systemClock } from "@signet/runtime";
 * export async function startOnLoopback() {
 *   const parsed = parseCaServerSettings({ env: {}, args: ["--ca-listen", "127.0.0.1:0"] });
 *   if (parsed.kind !== "settings") throw new Error("bad settings");
 *   const logger = createLogger({ name: "ca-server", level: "info" });
 *   const dependencies = { clock: systemClock, random: Math.random, randomBytes, logger, version: "0.1.0" };
 *   return await startCaServer(parsed.settings, dependencies);
 * }
 * ```
 */
export async function startCaServer(settings: CaServerSettings, dependencies: CaServerDependencies): Promise<CaServer> {
  const { logger } = dependencies;
  const opened: Opened = {
    state: createServingState(),
    health: createHealthState(),
    background: new AbortController(),
  };
  try {
    return await open(await readFiles(settings), dependencies, opened);
  } catch (error) {
    await closeAll(opened, { services: healthServices, graceMs: 0, logger });
    throw error;
  }
}

/** The settings with what the files add to them that they name. */
async function readFiles(settings: CaServerSettings): Promise<CaServerSettings> {
  const servingFiles = await findServingFiles(settings.servingFiles);
  return { ...(await applyMeshConfig(settings)), ...(servingFiles !== undefined && { servingFiles }) };
}

async function open(settings: CaServerSettings, dependencies: CaServerDependencies, opened: Opened): Promise<CaServer> {
  const { clock, logger, version } = dependencies;
  const { state, health } = opened;
  const { signal } = opened.background;

  const registry = createMetrics({ processMetrics: true });
  const parts = await openParts(settings, { ...dependencies, registry }, opened);
  const { signing, certificate, clusters } = parts;
  const { signingCa } = signing;
  const common = { ...dependencies, signingCa };
  const canary = await createCanary(settings);
  const readiness = createReadiness(
    { ...common, state, canary, probe: signing.probe, servingNotAfter: certificate.notAfter },
    signal,
  );
  const metrics = createCaServerMetrics(registry, common);
  const { authenticators, tasks } = createAuthenticators(settings, {
    ...common,
    ...(clusters !== undefined && { clusters: clusters.directory }),
  });
  const events = createCallEvents(logger, metrics);
  const createCertificate = createCertificateHandler({
    ...{ ...signing, ...settings, authenticators, clock, events },
    impersonation: { ...settings, podIndexOf: (id) => clusters?.directory.podsOf(id) },
    deadlineMs: settings.callDeadlineMs,
  });
  const service = bindService(IstioCertificateService, { createCertificate });

  const http = { ...settings.httpListen, routes: { "/ready": createReadyRoute(readiness) }, logger };
  const monitoring = { ...settings.monitoringListen, routes: createMonitoringRoutes(registry, version), logger };
  opened.http = await serveHttp(http);
  opened.monitoring = await serveHttp(monitoring);
  opened.listener = await serveCa(settings, { service, certificate, signingCa, health, metrics, logger });
  state.set("serving");

  const readinessTask = createReadinessTask({ readiness, health, services: healthServices }, { clock, logger });
  const ended = runGroup([...parts.tasks, readinessTask, ...tasks], signal);
  opened.tasks = ended;
  ended.catch((error: unknown) => logEvent(logger, "background task failed", { error }));

  const addresses = {
    ca: tcpAddress(opened.listener),
    ready: opened.http.address,
    monitoring: opened.monitoring.address,
  };
  logStarted(settings, { addresses, signingCa: signingCa.name, origin: signing.origin, logger });
  const ready = async (): Promise<boolean> => (await readiness.problems()).length === 0;
  return { addresses, trustBundle: signingCa.trustBundle, ready, ended, stop: createStop(opened, logger) };
}

function tcpAddress({ address }: GrpcListener): HostPort {
  if ("port" in address) return address;
  throw new RuntimeError("argument-invalid", "the CA RPC listens on a Unix socket");
}

function logStarted(
  { trustDomain, issuers }: CaServerSettings,
  started: {
    readonly addresses: CaServer["addresses"];
    readonly signingCa: string;
    readonly origin: string;
    readonly logger: Logger;
  },
): void {
  const { addresses, signingCa, origin, logger } = started;
  logEvent(logger, "ca server started", {
    caAddress: formatHostPort(addresses.ca),
    readyAddress: formatHostPort(addresses.ready),
    monitoringAddress: formatHostPort(addresses.monitoring),
    trustDomain,
    signingCa,
    origin,
    issuers: issuers.map(({ issuer }) => issuer),
  });
}

function createStop(opened: Opened, logger: Logger): () => Promise<void> {
  let stopped: Promise<void> | undefined;
  async function stop(): Promise<void> {
    logEvent(logger, "ca server draining", { graceMs });
    await closeAll(opened, { services: healthServices, graceMs, logger });
    logEvent(logger, "ca server stopped", {});
  }
  return () => {
    stopped ??= stop();
    return stopped;
  };
}

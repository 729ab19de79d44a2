import type { GrpcListener } from "@signet/grpc";
import type { Clock, Logger, Source, Task } from "@signet/runtime";
import { agentEvents, logEvent } from "./events.ts";
import type { WorkloadIdentity } from "./identity/workload-identity.ts";
import type { AgentMetrics } from "./metrics.ts";
import { reportSds } from "./report-sds.ts";
import { reportWorkloadApi } from "./report-workload-api.ts";
import type { FileSecrets } from "./sds/file-secrets.ts";
import { type KeptListener, keepListening } from "./sds/keep-listening.ts";
import type { SdsEvents } from "./sds/sds-events.ts";
import { serveSds } from "./sds/sds-server.ts";
import type { SecretBoard } from "./sds/secret-board.ts";
import { prepareSocketDirectory } from "./sds/socket-directory.ts";
import type { StreamStatus } from "./sds/stream-registry.ts";
import type { AgentSettings } from "./settings.ts";
import { serveWorkloadApi } from "./workload-api/workload-api-server.ts";

/** What is served on sockets. */
export type ServedParts = {
  readonly socketPath: string;
  readonly processId: string;
  readonly identity: Source<WorkloadIdentity>;
  readonly board: SecretBoard;
  readonly files: FileSecrets;
  readonly metrics: AgentMetrics;
  readonly clock: Clock;
};

/** Every socket that the agent listens on. */
export type AgentSockets = {
  readonly tasks: readonly Task[];
  /** Why a client of one of them cannot connect now, or undefined. */
  problem(): Promise<string | undefined>;
  /** The streams of SDS that are open. */
  streams(): readonly StreamStatus[];
  drain(graceMs: number): Promise<void>;
};

/** Listens for SDS and, where there is a path for it, for the SPIFFE Workload API; on both or on none. */
export async function openSockets(parts: ServedParts, settings: AgentSettings, logger: Logger): Promise<AgentSockets> {
  const sdsEvents = reportSds(parts.metrics, { logger, clock: parts.clock });
  const listeners = [await listenSds({ ...parts, sdsEvents }, settings, logger)];
  if (settings.workloadApiSocket !== "") {
    try {
      listeners.push(await listenWorkloadApi(parts, settings, logger));
    } catch (error) {
      await Promise.all(listeners.map((listener) => listener.drain(0)));
      throw error;
    }
  }
  return {
    tasks: listeners.map(({ task }) => task),
    problem: async () => (await Promise.all(listeners.map((listener) => listener.problem()))).find(Boolean),
    streams: sdsEvents.streams,
    async drain(graceMs) {
      await Promise.all(listeners.map((listener) => listener.drain(graceMs)));
    },
  };
}

function listenSds(
  parts: ServedParts & { readonly sdsEvents: SdsEvents },
  settings: AgentSettings,
  logger: Logger,
): Promise<KeptListener> {
  const { socketPath, processId, board, files, sdsEvents, clock } = parts;
  const socketMode = Number.parseInt(settings.sdsSocketMode, 8);
  let streams = 0;
  const newStreamId = (): string => {
    streams += 1;
    return `${processId}-${streams}`;
  };
  const options = { socketPath, socketMode, snapshots: board.snapshots, newStreamId, files };
  return keep({ socketPath, socketMode, listen: () => serveSds(options, sdsEvents) }, { clock, logger });
}

function listenWorkloadApi(parts: ServedParts, settings: AgentSettings, logger: Logger): Promise<KeptListener> {
  const { identity, metrics, clock } = parts;
  const socketPath = settings.workloadApiSocket;
  const socketMode = Number.parseInt(settings.workloadApiSocketMode, 8);
  const events = reportWorkloadApi(metrics, logger);
  const options = { socketPath, socketMode, identity, clock };
  return keep({ socketPath, socketMode, listen: () => serveWorkloadApi(options, events) }, { clock, logger });
}

type Served = {
  readonly socketPath: string;
  readonly socketMode: number;
  readonly listen: () => Promise<GrpcListener>;
};

/** Listens in a directory of its own, and again whenever the file has gone. */
function keep(
  { socketPath, socketMode, listen }: Served,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): Promise<KeptListener> {
  const listenPrivately = async (): Promise<GrpcListener> => {
    const shared = await prepareSocketDirectory(socketPath, socketMode);
    if (shared !== undefined) logEvent(logger, agentEvents.socketDirectoryShared, shared);
    return await listen();
  };
  return keepListening(
    { socketPath, listen: listenPrivately, clock },
    {
      remade: ({ reason }) => logEvent(logger, agentEvents.socketRemade, { socket: socketPath, reason }),
      unusable: ({ reason, error }) => logEvent(logger, agentEvents.socketLost, { socket: socketPath, reason, error }),
    },
  );
}

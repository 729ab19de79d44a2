import { bindService, type GrpcListener, plaintextCredentials, serve } from "@signet/grpc";
import { SecretDiscoveryService } from "@signet/protos/envoy/service/secret/v3/sds";
import type { Source } from "@signet/runtime";
import { fetchSecrets } from "./fetch-secrets.ts";
import type { FileSecrets } from "./file-secrets.ts";
import type { SdsEvents } from "./sds-events.ts";
import { incremental, stateOfTheWorld } from "./sds-messages.ts";
import { type SecretSnapshot, secretTypeUrl } from "./secret-stream.ts";
import { serveSecretStream } from "./serve-secret-stream.ts";

export type SdsServerOptions = {
  readonly socketPath: string;
  readonly socketMode: number;
  readonly snapshots: Source<SecretSnapshot>;
  /** An id for each stream, unique also across restarts. */
  readonly newStreamId: () => string;
  /** Secrets that are read when they are asked for. */
  readonly files: Pick<FileSecrets, "follow" | "settled">;
};

// A request carries the client's node, and with it the metadata of an Istio proxy: tens of kilobytes.
const maxRequestBytes = 1_048_576;
// Envoy needs one; whoever can reach the socket must not use up the agent's file descriptors.
const maxConnections = 4_096;

/**
 * Serves the secrets over SDS on a Unix socket until drained. A stale socket is replaced, a live one is not.
 *
 * State of the world, incremental and unary, where istio-agent serves the first alone.
 */
export function serveSds(options: SdsServerOptions, events: SdsEvents): Promise<GrpcListener> {
  const { snapshots, newStreamId, files } = options;
  const streaming = { snapshots, newStreamId, follow: files.follow, events };
  return serve({
    listen: { socketPath: options.socketPath, mode: options.socketMode },
    credentials: plaintextCredentials(),
    services: [
      bindService(SecretDiscoveryService, {
        streamSecrets: (requests, { signal }) => serveSecretStream(stateOfTheWorld, streaming, { requests, signal }),
        deltaSecrets: (requests, { signal }) => serveSecretStream(incremental, streaming, { requests, signal }),
        fetchSecrets: async (request) => {
          const { versionInfo, resources } = await fetchSecrets({ snapshots, files, id: newStreamId() }, request);
          return { versionInfo, resources: [...resources], typeUrl: secretTypeUrl };
        },
      }),
    ],
    maxReceiveBytes: maxRequestBytes,
    maxConnections,
    onError: ({ error }) => events.failed(error),
  });
}

import {
  bindService,
  type CallContext,
  type GrpcListener,
  onlyRequest,
  plaintextCredentials,
  Status,
  StatusError,
  serve,
} from "@signet/grpc";
import { SpiffeWorkloadAPI } from "@signet/protos/spiffe/workload/workload";
import type { Clock, Source } from "@signet/runtime";
import type { TrustDomain } from "@signet/spiffe";
import { type TrustBundle, trustBundlesEqual } from "@signet/x509";
import { notAfterOf, type WorkloadIdentity } from "../identity/workload-identity.ts";
import { x509BundlesResponse, x509SvidResponse } from "./workload-api-messages.ts";

export type WorkloadApiOptions = {
  readonly socketPath: string;
  readonly socketMode: number;
  readonly identity: Source<WorkloadIdentity>;
  readonly clock: Pick<Clock, "now">;
};

/** What the Workload API tells the log and the metrics. */
export interface WorkloadApiEvents {
  opened(event: { readonly method: WorkloadApiMethod }): void;
  closed(event: { readonly method: WorkloadApiMethod }): void;
  sent(event: { readonly method: WorkloadApiMethod }): void;
  /** A client without the mandatory header, which no workload sends by being tricked into a request. */
  refused(event: { readonly method: WorkloadApiMethod }): void;
  failed(error: unknown): void;
}

export type WorkloadApiMethod = "FetchX509SVID" | "FetchX509Bundles";

// There is nothing in a request.
const maxRequestBytes = 4_096;
const maxConnections = 4_096;
const mandatoryHeader = "workload.spiffe.io";

/**
 * Serves the X.509 profile of the SPIFFE Workload API on a Unix socket until drained: SVIDs and bundles, as streams that say
 * again what has changed.
 *
 * A stream that is opened before there is an SVID, or while the one there is has expired, waits for one. The JWT profile is
 * UNIMPLEMENTED, as the standard has it for a server without it.
 */
export function serveWorkloadApi(options: WorkloadApiOptions, events: WorkloadApiEvents): Promise<GrpcListener> {
  return serve({
    listen: { socketPath: options.socketPath, mode: options.socketMode },
    credentials: plaintextCredentials(),
    services: [
      bindService(SpiffeWorkloadAPI, {
        fetchX509SVID: (requests, context) =>
          stream({ ...options, events, method: "FetchX509SVID" }, { requests, context, respond: x509SvidResponse }),
        fetchX509Bundles: (requests, context) =>
          stream(
            { ...options, events, method: "FetchX509Bundles" },
            { requests, context, respond: x509BundlesResponse },
          ),
      }),
    ],
    maxReceiveBytes: maxRequestBytes,
    maxConnections,
    onError: ({ error }) => events.failed(error),
  });
}

type StreamOptions = Pick<WorkloadApiOptions, "identity" | "clock"> & {
  readonly events: WorkloadApiEvents;
  readonly method: WorkloadApiMethod;
};

type StreamCall<Response> = {
  readonly requests: AsyncIterable<unknown>;
  readonly context: Pick<CallContext, "signal" | "metadata">;
  respond(identity: WorkloadIdentity): Response;
};

/** One stream: what `respond` makes of each identity in which something changed that it tells. */
async function* stream<Response>(
  { identity, clock, events, method }: StreamOptions,
  { requests, context, respond }: StreamCall<Response>,
): AsyncGenerator<Response, void, undefined> {
  checkMandatoryHeader(context, () => events.refused({ method }));
  await onlyRequest(requests);
  events.opened({ method });
  try {
    let told: WorkloadIdentity | undefined;
    for await (const next of identity.changes(context.signal)) {
      const expired = notAfterOf(next) <= clock.now();
      // Bundles stay true when an SVID ends, and a client that only verifies needs nothing else.
      if (method === "FetchX509SVID" && expired) continue;
      if (told !== undefined && saysTheSame(method, told, next)) continue;
      told = next;
      events.sent({ method });
      yield respond(next);
    }
  } finally {
    events.closed({ method });
  }
}

/** SPIFFE Workload Endpoint section 3: without it a server must refuse, since it may be a web page that asks. */
function checkMandatoryHeader({ metadata }: Pick<CallContext, "metadata">, refused: () => void): void {
  const values = metadata.get(mandatoryHeader);
  if (values.length === 1 && values[0] === "true") return;
  refused();
  throw new StatusError(Status.INVALID_ARGUMENT, `the header ${mandatoryHeader}: true is missing`);
}

function saysTheSame(method: WorkloadApiMethod, one: WorkloadIdentity, other: WorkloadIdentity): boolean {
  if (method === "FetchX509SVID" && one.svid !== other.svid) return false;
  return bundlesEqual(one.trustBundles, other.trustBundles);
}

function bundlesEqual(
  one: ReadonlyMap<TrustDomain, TrustBundle>,
  other: ReadonlyMap<TrustDomain, TrustBundle>,
): boolean {
  if (one.size !== other.size) return false;
  return [...one].every(([name, bundle]) => {
    const there = other.get(name);
    return there !== undefined && trustBundlesEqual(bundle, there);
  });
}

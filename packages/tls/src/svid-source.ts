import { connect, Status, StatusError } from "@signet/grpc";
import { SpiffeWorkloadAPI } from "@signet/protos/spiffe/workload/workload";
import {
  type Clock,
  createBackoff,
  createSource,
  errorMessage,
  firstValue,
  type Random,
  type Source,
  systemClock,
} from "@signet/runtime";
import { TlsError } from "./errors.ts";
import { parseX509SvidResponse, type WorkloadSvid } from "./workload-svid.ts";

export type SvidSourceOptions = {
  /** Socket of the Workload API: `unix:` and a path, or a path. Default: the variable `SPIFFE_ENDPOINT_SOCKET`. */
  readonly endpoint?: string;
  /** Told of each failure; the identity there is stays in use meanwhile. */
  readonly onFailure?: (error: unknown) => void;
  readonly clock?: Clock;
  readonly random?: Random;
};

/** A program's identity, kept as fresh as the agent has it. */
export interface SvidSource {
  readonly identity: Source<WorkloadSvid>;
  /**
   * Resolves once there is an identity.
   * @throws TlsError `no-identity` when `signal` aborts first
   */
  ready(signal: AbortSignal): Promise<WorkloadSvid>;
  /** Lets go of the socket; the last identity stays what it is. */
  close(): void;
}

const header = { "workload.spiffe.io": "true" };
const backoffOptions = { initialMs: 200, maxMs: 15_000, minMs: 100 } as const;

/**
 * Follows the identity that an agent serves over the SPIFFE Workload API, and connects again for as long as it takes when the
 * agent goes away: what there is stays in use until there is something newer.
 * @throws TlsError `endpoint-malformed`
 * @example
 * ```ts
 * import { followSvid } from "@signet/tls";
 * const source = followSvid({ endpoint: "unix:/run/signet/workload.sock" });
 * const failed = await source.ready(AbortSignal.abort()).catch((error: unknown) => error);
 * source.close();
 * ```
 */
export function followSvid(options: SvidSourceOptions = {}): SvidSource {
  const { clock = systemClock, random = Math.random, onFailure = () => undefined } = options;
  const address = addressOf(options.endpoint ?? process.env.SPIFFE_ENDPOINT_SOCKET ?? "");
  const identity = createSource<WorkloadSvid>();
  const stop = new AbortController();
  const channel = connect({ address, reconnect: { initialMs: 100, maxMs: 5_000 } });
  let lastFailure: unknown;

  async function follow(): Promise<void> {
    const backoff = createBackoff(backoffOptions, random);
    while (!stop.signal.aborted) {
      try {
        const options = { signal: stop.signal, metadata: header };
        for await (const response of channel.stream(SpiffeWorkloadAPI.method.fetchX509SVID, oneRequest(), options)) {
          identity.publish(parseX509SvidResponse(response));
          backoff.reset();
          lastFailure = undefined;
        }
        throw new StatusError(Status.UNAVAILABLE, "the Workload API ended the stream");
      } catch (error) {
        if (stop.signal.aborted) return;
        lastFailure = error;
        onFailure(error);
      }
      await clock.sleep(backoff.nextMs(), stop.signal).catch(() => undefined);
    }
  }

  follow().catch(onFailure);
  return {
    identity,
    async ready(signal) {
      try {
        return await firstValue(identity, signal);
      } catch (cause) {
        const why = lastFailure === undefined ? "" : `: ${errorMessage(lastFailure)}`;
        throw new TlsError("no-identity", `the Workload API at ${address} has given no identity${why}`, { cause });
      }
    },
    close() {
      stop.abort();
      channel.close();
    },
  };
}

async function* oneRequest(): AsyncGenerator<Record<string, never>, void, undefined> {
  yield {};
}

/** SPIFFE Workload Endpoint section 4: a URI whose path is the socket's, with or without an empty authority. */
function addressOf(endpoint: string): string {
  const path = endpoint.replace(/^unix:(\/\/(?=\/))?/, "");
  if (path === "" || /^[a-z][a-z0-9+.-]*:\/\//i.test(path) || path.includes("\0")) {
    const shown = JSON.stringify(endpoint.slice(0, 200));
    throw new TlsError("endpoint-malformed", `${shown} names no socket, such as unix:/run/signet/workload.sock`);
  }
  return `unix:${path}`;
}

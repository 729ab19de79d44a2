import type { Clock } from "@signet/runtime";
import { KubernetesError } from "../errors.ts";
import type { KubernetesApi } from "../kubernetes-api.ts";
import { type ClusterLimits, createKubernetesApi } from "../kubernetes-client.ts";
import { acceptedTypes, type Transport, type TransportAnswer, type TransportRequest } from "../transport.ts";
import type { FakeOutgoing } from "./fake-answers.ts";
import { FakeCluster } from "./fake-cluster.ts";
import { ConnectionCut } from "./fake-watches.ts";

/** A `KubernetesApi` on a cluster in memory, without any socket: all it waits for is its clock. */
export type FakeKubernetes = { readonly api: KubernetesApi; readonly cluster: FakeCluster };

/**
 * Returns an API on a fresh cluster in memory, or on one that is there already. It is the real client over a fake transport:
 * bounds, errors and watches are those of the real one.
 * @example
 * ```ts
 * import { resources } from "@signet/kubernetes";
 * import { fakeKubernetes } from "@signet/kubernetes/testing";
 * import { FakeClock } from "@signet/runtime/testing";
 * const { api, cluster } = fakeKubernetes({ clock: new FakeClock() });
 * cluster.setFault({ kind: "status", status: 429, retryAfterSeconds: 1 });
 * const failure = api.list(resources.namespaces, {}, new AbortController().signal).catch((error) => error.code);
 * await failure; // "too-many-requests"
 * ```
 */
export function fakeKubernetes(options: {
  readonly clock: Clock;
  readonly limits?: ClusterLimits;
  readonly cluster?: FakeCluster;
}): FakeKubernetes {
  const { clock, cluster = new FakeCluster("https://cluster.fake", clock) } = options;
  return { api: createKubernetesApi(transportTo(cluster), options), cluster };
}

function transportTo(cluster: FakeCluster): Transport {
  const underWay = new Set<AbortController>();
  let closed = false;
  return {
    server: cluster.issuer,
    async send(request, signal) {
      if (closed) throw unavailable("closed");
      signal.throwIfAborted();
      const ending = new AbortController();
      const abort = (): void => ending.abort(signal.reason);
      signal.addEventListener("abort", abort, { once: true });
      underWay.add(ending);
      const release = (): void => {
        signal.removeEventListener("abort", abort);
        underWay.delete(ending);
      };
      try {
        const outgoing = await cluster.answer(incomingOf(cluster, request), ending.signal);
        return answerOf(outgoing, { signal: ending.signal, release });
      } catch (error) {
        release();
        throw ending.signal.aborted ? ending.signal.reason : brokenBy(error);
      }
    },
    distrustIdle: () => undefined,
    close() {
      closed = true;
      for (const ending of underWay) ending.abort(unavailable("closed"));
    },
  };
}

function incomingOf(
  cluster: FakeCluster,
  { method, path, body }: TransportRequest,
): Parameters<FakeCluster["answer"]>[0] {
  const authorization = `Bearer ${cluster.adminToken}`;
  const contentType = body?.contentType ?? "";
  return { method, path, authorization, accept: acceptedTypes, contentType, body: body?.text ?? "" };
}

type Ending = { readonly signal: AbortSignal; release(): void };

function answerOf({ status, headers, body }: FakeOutgoing, ending: Ending): TransportAnswer {
  return { status, header: (name) => headers[name], body: bytesOf(body, ending), discard: ending.release };
}

async function* bytesOf(body: AsyncIterable<string>, { signal, release }: Ending): AsyncGenerator<Uint8Array> {
  const lines = body[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await lines.next();
      signal.throwIfAborted();
      if (next.done === true) return;
      yield Buffer.from(next.value);
    }
  } catch (error) {
    throw signal.aborted ? signal.reason : brokenBy(error);
  } finally {
    release();
    await lines.return?.();
  }
}

function brokenBy(error: unknown): unknown {
  return error instanceof ConnectionCut ? unavailable("connection cut") : error;
}

function unavailable(why: string): KubernetesError {
  return new KubernetesError("unavailable", `no answer from the fake: ${why}`);
}

import type { IncomingMessage } from "node:http";
import { Agent, request as httpsRequest, type RequestOptions } from "node:https";
import { isIP } from "node:net";
import { createSecureContext } from "node:tls";
import { errorMessage } from "@signet/runtime";
import type { ClusterCredentials, CredentialSource } from "./credentials.ts";
import { KubernetesError } from "./errors.ts";
import { acceptedTypes, type Transport, type TransportAnswer, type TransportRequest } from "./transport.ts";

/** Where to, as whom, and whom to expect there. */
export type HttpsTransportOptions = {
  /** https; a path in it goes before every path. */
  readonly server: URL;
  /** The name that the server's certificate must have, when it is not that of the URL. */
  readonly serverName?: string;
  readonly credentials: CredentialSource;
};

const maxCallSockets = 64;
const maxWatchSockets = 512;
const idleMs = 30_000;

/**
 * Requests over HTTPS, on connections that are kept. The server's certificate is always verified, no redirect is followed, no
 * proxy is used, and nothing waits for anything but a free connection: 64 for calls, which are short, 512 for watches.
 */
export function createHttpsTransport(options: HttpsTransportOptions): Transport {
  const { server, credentials } = options;
  const closing = new AbortController();
  let pools: Pools | undefined;

  function poolsFor(material: ClusterCredentials): Pools {
    if (pools?.fits(material)) return pools;
    try {
      const next = openPools(material, options.serverName ?? hostOf(server));
      pools?.retire();
      pools = next;
      return next;
    } catch (error) {
      // A certificate and a key of which only one has been replaced so far: what there was still serves.
      if (pools === undefined) throw error;
      return pools;
    }
  }

  async function exchange(
    request: TransportRequest,
    material: ClusterCredentials,
    signal: AbortSignal,
  ): Promise<TransportAnswer> {
    const target = poolsFor(material);
    const outgoing = { server, request, token: material.token, agent: request.stream ? target.watches : target.calls };
    const first = await attempt(outgoing, signal);
    if (first.kind === "answered") return first.answer;
    signal.throwIfAborted();
    // The server may close an idle connection at the very moment that it is used; nothing has been asked then.
    if (!first.onIdleConnection || !request.repeatable) throw unavailable(server, first.error);
    target.dropIdle();
    const second = await attempt(outgoing, signal);
    if (second.kind === "answered") return second.answer;
    signal.throwIfAborted();
    throw unavailable(server, second.error);
  }

  return {
    server: server.href.replace(/\/$/, ""),
    async send(request, signal) {
      if (closing.signal.aborted) throw new KubernetesError("unavailable", "the connection to the cluster is closed");
      const material = await credentials.current(signal);
      const answer = await exchange(request, material, signal);
      if (answer.status !== 401) return answer;
      const renewed = await credentials.renewed(material, signal);
      if (renewed === undefined) return answer;
      answer.discard();
      return exchange(request, renewed, signal);
    },
    distrustIdle: () => pools?.dropIdle(),
    close() {
      closing.abort();
      pools?.destroy();
    },
  };
}

/** The connections made with one set of certificates. */
type Pools = {
  readonly calls: Agent;
  readonly watches: Agent;
  fits(material: ClusterCredentials): boolean;
  dropIdle(): void;
  /** Keeps no connection longer than its request. */
  retire(): void;
  destroy(): void;
};

function openPools(material: ClusterCredentials, serverName: string): Pools {
  const { caPem, certificatePem, keyPem } = material;
  const common = {
    keepAlive: true,
    timeout: idleMs,
    secureContext: secureContextOf(material),
    // Said aloud so that NODE_TLS_REJECT_UNAUTHORIZED cannot unsay it.
    rejectUnauthorized: true,
    // An address is checked as what was connected to; only names are sent.
    ...(isIP(serverName) === 0 ? { servername: serverName } : {}),
  };
  const calls = new Agent({ ...common, maxSockets: maxCallSockets, maxFreeSockets: maxCallSockets });
  const watches = new Agent({ ...common, maxSockets: maxWatchSockets, maxFreeSockets: 4 });
  const agents = [calls, watches];

  function dropIdle(): void {
    for (const agent of agents) {
      for (const sockets of Object.values(agent.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
    }
  }

  return {
    calls,
    watches,
    fits: (other) => other.caPem === caPem && other.certificatePem === certificatePem && other.keyPem === keyPem,
    dropIdle,
    retire() {
      for (const agent of agents) agent.maxFreeSockets = 0;
      dropIdle();
    },
    destroy() {
      for (const agent of agents) agent.destroy();
    },
  };
}

function secureContextOf({
  caPem,
  certificatePem,
  keyPem,
}: ClusterCredentials): ReturnType<typeof createSecureContext> {
  try {
    return createSecureContext({
      minVersion: "TLSv1.2",
      ...(caPem === undefined ? {} : { ca: caPem }),
      ...(certificatePem === undefined ? {} : { cert: certificatePem }),
      ...(keyPem === undefined ? {} : { key: keyPem }),
    });
  } catch (error) {
    throw new KubernetesError("config-invalid", `the cluster's certificates cannot be used: ${errorMessage(error)}`);
  }
}

type Outgoing = {
  readonly server: URL;
  readonly request: TransportRequest;
  readonly token: string | undefined;
  readonly agent: Agent;
};

type Attempt =
  | { readonly kind: "answered"; readonly answer: TransportAnswer }
  | { readonly kind: "failed"; readonly error: Error; readonly onIdleConnection: boolean };

function attempt({ server, request, token, agent }: Outgoing, signal: AbortSignal): Promise<Attempt> {
  const { body } = request;
  const options: RequestOptions = {
    method: request.method,
    path: `${server.pathname.replace(/\/$/, "")}${request.path}`,
    headers: {
      accept: acceptedTypes,
      "accept-encoding": "identity",
      "user-agent": "signet",
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined
        ? {}
        : { "content-type": body.contentType, "content-length": String(Buffer.byteLength(body.text)) }),
    },
    agent,
    signal,
  };
  return new Promise((resolve) => {
    const outgoing = httpsRequest(server, options, (incoming) =>
      resolve({ kind: "answered", answer: answerOf(incoming, server, signal) }),
    );
    outgoing.on("error", (error) =>
      resolve({ kind: "failed", error, onIdleConnection: outgoing.reusedSocket && errorIsClosed(error) }),
    );
    outgoing.end(body?.text);
  });
}

function errorIsClosed(error: Error): boolean {
  return "code" in error && (error.code === "ECONNRESET" || error.code === "EPIPE");
}

function answerOf(incoming: IncomingMessage, server: URL, signal: AbortSignal): TransportAnswer {
  return {
    status: incoming.statusCode ?? 0,
    header(name) {
      const value = incoming.headers[name];
      return Array.isArray(value) ? value[0] : value;
    },
    body: bodyOf(incoming, server, signal),
    discard: () => void incoming.destroy(),
  };
}

async function* bodyOf(incoming: IncomingMessage, server: URL, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const encoding = incoming.headers["content-encoding"] ?? "identity";
  if (encoding !== "identity") {
    incoming.destroy();
    throw new KubernetesError("response-malformed", "an answer is compressed although that was not asked for");
  }
  try {
    // Leaving the loop early destroys the answer and its connection; a connection cut midway throws.
    for await (const chunk of incoming) yield chunk;
  } catch (error) {
    signal.throwIfAborted();
    throw unavailable(server, error);
  }
}

function unavailable(server: URL, error: unknown): KubernetesError {
  return new KubernetesError("unavailable", `no answer from ${server.origin}: ${errorMessage(error)}`, {
    cause: error,
  });
}

function hostOf(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, "$1");
}

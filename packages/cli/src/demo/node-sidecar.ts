import { createServer as createHttpServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { Agent, type AgentOptions, request as requestTls } from "node:https";
import type { AddressInfo, Server, Socket } from "node:net";
import { createServer as createTlsServer, type TLSSocket, type TlsOptions } from "node:tls";
import { firstValue, type Source } from "@signet/runtime";
import { connectAuthorizationServer } from "./ask-policies.ts";
import { demoSpiffeId, demoTrustDomain } from "./demo-workload.ts";
import { type TlsSecrets, watchSecrets } from "./sds-client.ts";
import type { Address, InboundSidecar, OutboundSidecar, RefusalCounts } from "./sidecar.ts";

/**
 * Does for the backend, with Node's TLS, what deploy/envoy/backend.yaml makes Envoy do.
 *
 * For machines without an Envoy: it shows that rotation works, and nothing about Envoy.
 */
export async function startBackendNode(
  options: { readonly sdsSocket: string; readonly workload: Address; readonly authzSocket: string },
  signal: AbortSignal,
): Promise<InboundSidecar> {
  const stopping = new AbortController();
  const secrets = watchSecrets(options.sdsSocket, stopping.signal);
  const server = createTlsServer(serverOptions(await firstValue(secrets, signal)));
  void followSecrets(secrets, (next) => server.setSecureContext(serverOptions(next)), stopping.signal);

  const refusals = { noCertificate: 0, untrustedChain: 0, wrongName: 0 };
  const clients = new WeakMap<Socket, Readonly<Record<string, string>>>();
  const policies = connectAuthorizationServer(options.authzSocket);
  let connections = 0;
  const http = createHttpServer(async (incoming, outgoing) => {
    const client = clients.get(incoming.socket);
    const answer = await policies.ask(incoming, client?.["x-peer-spiffe-id"] ?? "");
    if (answer.kind === "refused") {
      outgoing.writeHead(answer.status).end(answer.body);
      return;
    }
    const headers = { ...incoming.headers, ...client };
    const forwarded = request({ ...options.workload, path: incoming.url, method: incoming.method, headers });
    relay({ incoming, outgoing, forwarded }, () => ({}));
  });
  http.keepAliveTimeout = 0;
  server.on("secureConnection", (socket) => {
    const refusal = refusalOf(socket);
    if (refusal !== undefined) {
      refusals[refusal] += 1;
      socket.destroy();
      return;
    }
    const shown = { "x-peer-spiffe-id": uriOf(socket), "x-peer-serial": serialOf(socket) };
    const issuer = socket.getPeerX509Certificate()?.issuer ?? "";
    clients.set(socket, { ...shown, "x-peer-issuer": issuer, "x-connection-id": String(connections++) });
    http.emit("connection", socket);
  });
  return {
    address: await listenOnLoopback(server),
    refusals: async () => ({ ...refusals }),
    async stop() {
      stopping.abort();
      policies.close();
      http.closeAllConnections();
      server.close();
    },
  };
}

/** Does for the frontend, with Node's TLS, what deploy/envoy/frontend.yaml makes Envoy do. */
export async function startFrontendNode(
  options: { readonly sdsSocket: string; readonly backend: Address },
  signal: AbortSignal,
): Promise<OutboundSidecar> {
  const stopping = new AbortController();
  const secrets = watchSecrets(options.sdsSocket, stopping.signal);
  await firstValue(secrets, signal);
  let endedByBackend = 0;
  const agents = new WeakMap<Socket, Agent>();
  const watched = new WeakSet<Socket>();
  const server = createHttpServer((incoming, outgoing) => {
    const agent = agents.get(incoming.socket);
    const { path, method, headers } = { path: incoming.url, method: incoming.method, headers: incoming.headers };
    const forwarded = requestTls({ ...options.backend, path, method, headers, agent });
    forwarded.once("socket", (socket) => {
      if (!watched.has(socket)) {
        watched.add(socket);
        socket.once("close", () => {
          endedByBackend += incoming.socket.destroyed ? 0 : 1;
        });
      }
    });
    relay({ incoming, outgoing, forwarded }, (socket) => {
      const certificate = socket.getPeerX509Certificate()?.toString() ?? "";
      return { "x-upstream-spiffe-id": uriOf(socket), "x-upstream-certificate": encodeURIComponent(certificate) };
    });
  });
  server.keepAliveTimeout = 0;
  // One connection to the backend for each connection from the workload, as in the Envoy bootstrap.
  server.on("connection", (socket) => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1, maxCachedSessions: 0, ...clientOptions(secrets) });
    agents.set(socket, agent);
    socket.once("close", () => agent.destroy());
  });
  return {
    address: await listenOnLoopback(server),
    connectionsEndedByBackend: async () => endedByBackend,
    async stop() {
      stopping.abort();
      server.closeAllConnections();
      server.close();
    },
  };
}

function serverOptions(secrets: TlsSecrets): TlsOptions {
  return {
    cert: secrets.certificateChainPem,
    key: secrets.privateKeyPem,
    ca: secrets.rootCertificatesPem,
    requestCert: true,
    // Refused by refusalOf, which can say why.
    rejectUnauthorized: false,
    minVersion: "TLSv1.2",
  };
}

function clientOptions(secrets: Source<TlsSecrets>): AgentOptions {
  const current = secrets.current();
  return {
    cert: current?.certificateChainPem,
    key: current?.privateKeyPem,
    ca: current?.rootCertificatesPem,
    minVersion: "TLSv1.2",
    checkServerIdentity: (_host, certificate) =>
      certificate.subjectaltname === `URI:${demoSpiffeId("backend")}` ? undefined : new Error("not the backend"),
  };
}

function refusalOf(socket: TLSSocket): keyof RefusalCounts | undefined {
  if (socket.getPeerX509Certificate() === undefined) {
    return "noCertificate";
  }
  if (!socket.authorized) {
    return "untrustedChain";
  }
  return uriOf(socket).startsWith(`spiffe://${demoTrustDomain}/`) ? undefined : "wrongName";
}

function uriOf(socket: TLSSocket): string {
  return /^URI:([^\s,]+)$/.exec(socket.getPeerX509Certificate()?.subjectAltName ?? "")?.[1] ?? "";
}

function serialOf(socket: TLSSocket): string {
  return socket.getPeerX509Certificate()?.serialNumber.toLowerCase() ?? "";
}

type Exchange = {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  readonly forwarded: ReturnType<typeof request>;
};

function relay(
  { incoming, outgoing, forwarded }: Exchange,
  headersFor: (socket: TLSSocket) => Readonly<Record<string, string>>,
): void {
  forwarded.once("error", () => outgoing.headersSent || outgoing.writeHead(503).end());
  forwarded.once("response", (response) => {
    outgoing.writeHead(response.statusCode ?? 502, {
      ...response.headers,
      ...headersFor(response.socket as TLSSocket),
    });
    response.pipe(outgoing);
  });
  incoming.pipe(forwarded);
}

async function followSecrets(
  secrets: Source<TlsSecrets>,
  use: (secrets: TlsSecrets) => void,
  signal: AbortSignal,
): Promise<void> {
  for await (const next of secrets.changes(signal)) {
    use(next);
  }
}

async function listenOnLoopback(server: Server): Promise<Address> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject).listen(0, "127.0.0.1", resolve);
  await promise;
  return { host: "127.0.0.1", port: (server.address() as AddressInfo).port };
}

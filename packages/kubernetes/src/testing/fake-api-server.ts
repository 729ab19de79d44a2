import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { Socket } from "node:net";
import { type Clock, systemClock } from "@signet/runtime";
import type { FakeOutgoing } from "./fake-answers.ts";
import { FakeCluster } from "./fake-cluster.ts";

/** An API server over HTTPS on 127.0.0.1. */
export interface FakeApiServer {
  readonly cluster: FakeCluster;
  readonly url: string;
  /** The CA of its certificate. */
  readonly caPem: string;
  /** A client certificate of the administrator, which it accepts instead of a token. */
  readonly client: { readonly certificatePem: string; readonly keyPem: string };
  /** A kubeconfig for `connectCluster`, with the administrator's token or another, for this server or a proxy before it. */
  kubeconfig(options?: { readonly token?: string; readonly server?: string }): string;
  /** How many connections it has taken so far. */
  connections(): number;
  /** Stops listening and cuts what there is; `resume` listens on the same port again. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Starts an API server on a fresh cluster in memory. Its clock is the system's unless given.
 * @example
 * ```ts
 * import { connectCluster, resources } from "@signet/kubernetes";
 * import { startFakeApiServer } from "@signet/kubernetes/testing";
 * import { systemClock } from "@signet/runtime";
 * const server = await startFakeApiServer();
 * const api = await connectCluster({ kind: "kubeconfig-text", text: server.kubeconfig() }, { clock: systemClock });
 * await api.list(resources.namespaces, {}, AbortSignal.timeout(5000));
 * api.close();
 * await server.stop();
 * ```
 */
export async function startFakeApiServer(options: { readonly clock?: Clock } = {}): Promise<FakeApiServer> {
  const { clock = systemClock } = options;
  const caPem = testdata("ca.pem");
  const tls = { cert: testdata("localhost.pem"), key: testdata("localhost.key"), ca: caPem };
  const server = createServer({ ...tls, requestCert: true, rejectUnauthorized: false });
  const sockets = new Set<Socket>();
  let connections = 0;
  server.on("connection", (socket: Socket) => {
    connections += 1;
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  const port = await listen(server, 0);
  const url = `https://127.0.0.1:${port}`;
  const cluster = new FakeCluster(url, clock);
  server.on("request", (incoming: IncomingMessage, response: ServerResponse) => {
    serve(cluster, incoming, response).catch(() => response.destroy());
  });

  async function pause(): Promise<void> {
    if (!server.listening) return;
    const closed = once(server, "close");
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  }

  return {
    ...{ cluster, url, caPem, pause, stop: pause },
    client: { certificatePem: testdata("client.pem"), keyPem: testdata("client.key") },
    kubeconfig: ({ token = cluster.adminToken, server: address = url } = {}) => kubeconfigOf({ address, caPem, token }),
    connections: () => connections,
    async resume() {
      if (!server.listening) await listen(server, port);
    },
  };
}

async function listen(server: Server, port: number): Promise<number> {
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

async function serve(cluster: FakeCluster, incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  const ending = new AbortController();
  response.on("close", () => ending.abort());
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk);
  const { method = "", url: path = "", headers, socket } = incoming;
  const hasCertificate = "authorized" in socket && socket.authorized === true;
  const outgoing = await cluster.answer(
    {
      method,
      path,
      authorization: headers.authorization ?? (hasCertificate ? `Bearer ${cluster.adminToken}` : undefined),
      accept: headers.accept ?? "",
      contentType: headers["content-type"] ?? "",
      body: Buffer.concat(chunks).toString("utf8"),
    },
    ending.signal,
  );
  await send(outgoing, response);
}

async function send({ status, headers, length, body }: FakeOutgoing, response: ServerResponse): Promise<void> {
  response.writeHead(status, { ...headers, ...(length === undefined ? {} : { "content-length": String(length) }) });
  // The head of a watch goes out before there is anything to say.
  response.flushHeaders();
  for await (const text of body) {
    if (!response.write(text) && !response.destroyed)
      await Promise.race([once(response, "drain"), once(response, "close")]);
  }
  response.end();
}

function kubeconfigOf(options: { readonly address: string; readonly caPem: string; readonly token: string }): string {
  const ca = Buffer.from(options.caPem).toString("base64");
  return [
    ...["apiVersion: v1", "kind: Config", "current-context: fake"],
    ...["clusters:", "- name: fake", "  cluster:", `    server: ${options.address}`],
    `    certificate-authority-data: ${ca}`,
    ...["users:", "- name: admin", "  user:", `    token: ${options.token}`],
    ...["contexts:", "- name: fake", "  context:", "    cluster: fake", "    user: admin", ""],
  ].join("\n");
}

function testdata(name: string): string {
  return readFileSync(new URL(`./testdata/${name}`, import.meta.url), "utf8");
}

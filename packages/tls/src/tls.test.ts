import { once } from "node:events";
import { createServer as createHttp2Server, connect as http2Connect, type ServerHttp2Stream } from "node:http2";
import { createServer as createHttpsServer, request as httpsRequest } from "node:https";
import type { AddressInfo } from "node:net";
import { connect, createServer, type Server, type TLSSocket } from "node:tls";
import type { Publisher } from "@signet/runtime";
import { parseSpiffeId, parseTrustDomain } from "@signet/spiffe";
import { testIntermediate, testRoot } from "@signet/x509/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { allowSpiffeIds, allowTrustDomains, type PeerAuthorizer } from "./authorize-peer.ts";
import { clientOptions, http2Connection, httpsAgent, undiciConnector } from "./connect-tls.ts";
import { guardServer, peerOf, serverOptions } from "./serve-tls.ts";
import { testIdentity, testSource } from "./testing.ts";
import type { WorkloadSvid } from "./workload-svid.ts";

const backend = parseSpiffeId("spiffe://cluster.local/ns/demo/sa/backend");
const frontend = parseSpiffeId("spiffe://cluster.local/ns/demo/sa/frontend");
const stranger = parseSpiffeId("spiffe://partner.example/ns/demo/sa/frontend");
const mesh = allowTrustDomains(parseTrustDomain("cluster.local"));

let root: Awaited<ReturnType<typeof testRoot>>;
let serverIdentity: Publisher<WorkloadSvid>;
let clientIdentity: Publisher<WorkloadSvid>;
let stop: AbortController;
let refused: unknown[];
let servers: { close(): unknown }[];

beforeEach(async () => {
  root = await testRoot();
  serverIdentity = testSource(await testIdentity(await testIntermediate(root), backend));
  clientIdentity = testSource(await testIdentity(root, frontend));
  stop = new AbortController();
  refused = [];
  servers = [];
});

afterEach(() => {
  stop.abort();
  for (const server of servers) server.close();
});

/** A guarded server that says who is there, and keeps the connection. */
async function serve(authorize: PeerAuthorizer = mesh, greeting = "hello"): Promise<number> {
  const server = createServer(serverOptions(serverIdentity), (socket) => {
    socket.on("error", () => undefined);
    socket.write(`${greeting} ${peerOf(socket)}`);
  });
  return await listen(server, authorize);
}

async function listen(server: Server, authorize: PeerAuthorizer = mesh): Promise<number> {
  server.on("tlsClientError", () => undefined);
  const onRefused = (error: unknown): void => void refused.push(error);
  guardServer(server, serverIdentity, { authorize, onRefused }, stop.signal);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  servers.push(server);
  return (server.address() as AddressInfo).port;
}

function dial(port: number, authorize: PeerAuthorizer = mesh): TLSSocket {
  return connect({ host: "127.0.0.1", port, ...clientOptions(clientIdentity, authorize)() });
}

/** What the server says first, or the code of what went wrong. */
async function heard(socket: TLSSocket): Promise<string> {
  try {
    const [data] = await Promise.race([once(socket, "data"), once(socket, "close").then(() => ["closed"])]);
    return String(data);
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : String(error);
  }
}

describe("a server and a client of the mesh", () => {
  it("know each other by SPIFFE ID, through intermediates, whatever the host is called", async () => {
    const socket = dial(await serve(allowSpiffeIds(frontend)), allowSpiffeIds(backend));
    expect(await heard(socket)).toBe(`hello ${frontend}`);
    socket.destroy();
  });

  it("refuse each other for another SPIFFE ID", async () => {
    const port = await serve(allowSpiffeIds(backend));
    const socket = dial(port);
    expect(await heard(socket)).not.toContain("hello");
    expect(refused).toMatchObject([{ code: "peer-unauthorized" }]);
    expect(await heard(dial(port, allowSpiffeIds(frontend)))).toBe("peer-unauthorized");
  });

  it("refuse who has no certificate, or one that no root vouches for", async () => {
    const port = await serve();
    const { secureContext: _, ...withoutIdentity } = clientOptions(clientIdentity, mesh)();
    const plain = connect({ host: "127.0.0.1", port, ca: root.pem, ...withoutIdentity });
    expect(await heard(plain)).not.toContain("hello");
    const [unknown] = [await testIdentity(await testRoot(), frontend)];
    clientIdentity = testSource({ ...unknown, trustBundles: clientIdentity.current()?.trustBundles ?? new Map() });
    expect(await heard(dial(port))).not.toContain("hello");
  });

  it("believe a root for its own trust domain alone", async () => {
    const partner = await testRoot();
    const others = new Map([[stranger, partner.trustBundle]]);
    serverIdentity.publish(await testIdentity(root, backend, others));
    const port = await serve(() => true);
    await new Promise(setImmediate);
    // A partner's CA that signs a name of ours: TLS takes it, since the partner's root is among those it knows.
    const forged = await testIdentity(partner, frontend);
    clientIdentity = testSource({ ...forged, trustBundles: clientIdentity.current()?.trustBundles ?? new Map() });
    expect(await heard(dial(port))).not.toContain("hello");
    expect(refused).toMatchObject([{ code: "peer-unverified" }]);
    const honest = await testIdentity(partner, stranger);
    clientIdentity = testSource({
      ...honest,
      trustBundles: new Map([...honest.trustBundles, ...(serverIdentity.current()?.trustBundles ?? [])]),
    });
    const socket = dial(port);
    expect(await heard(socket)).toBe(`hello ${stranger}`);
    socket.destroy();
  });
});

describe("a rotation", () => {
  it("reaches new connections on both sides, and leaves those that stand alone", async () => {
    const port = await serve();
    const standing = dial(port);
    await heard(standing);
    const before = standing.getPeerX509Certificate()?.serialNumber;
    const next = await testRoot();
    const both = new Map([
      [
        parseTrustDomain("cluster.local"),
        { ...root.trustBundle, authorities: [...root.trustBundle.authorities, ...next.trustBundle.authorities] },
      ],
    ]);
    serverIdentity.publish({ ...(await testIdentity(next, backend)), trustBundles: both });
    clientIdentity.publish({ ...(await testIdentity(next, frontend)), trustBundles: both });
    await new Promise(setImmediate);
    const fresh = dial(port);
    expect(await heard(fresh)).toBe(`hello ${frontend}`);
    expect(fresh.getPeerX509Certificate()?.serialNumber).not.toBe(before);
    expect(standing.destroyed).toBe(false);
    for (const socket of [standing, fresh]) socket.destroy();
  });
});

describe("https, http2 and undici", () => {
  it("follow, and see the caller: https with an agent that keeps connections", async () => {
    const server = createHttpsServer(serverOptions(serverIdentity), (request, response) => {
      response.end(String(peerOf(request.socket as TLSSocket)));
    });
    const port = await listen(server);
    const agent = httpsAgent(clientIdentity, allowSpiffeIds(backend), { keepAlive: true });
    const ask = (with_ = agent): Promise<string> =>
      new Promise((resolve, reject) => {
        const request = httpsRequest({ host: "127.0.0.1", port, agent: with_ }, (response) => {
          let text = "";
          response.on("data", (data: Buffer) => {
            text += data.toString();
          });
          response.on("end", () => resolve(text));
        });
        request.on("error", reject).end();
      });
    expect(await ask()).toBe(frontend);
    clientIdentity.publish(await testIdentity(root, backend));
    // The connection that is kept is that of the identity before, and a new one that of now.
    expect(await ask()).toBe(frontend);
    agent.destroy();
    const other = httpsAgent(clientIdentity, allowSpiffeIds(backend));
    expect(await ask(other)).toBe(backend);
    await expect(ask(httpsAgent(clientIdentity, allowSpiffeIds(frontend)))).rejects.toMatchObject({
      code: "peer-unauthorized",
    });
    agent.destroy();
    other.destroy();
  });

  it("http2", async () => {
    const server = createServer({ ...serverOptions(serverIdentity), ALPNProtocols: ["h2"] });
    const http2 = createHttp2Server();
    http2.on("stream", (stream: ServerHttp2Stream) => stream.end("hello"));
    server.on("secureConnection", (socket) => http2.emit("connection", socket));
    const port = await listen(server);
    const session = http2Connect(`https://127.0.0.1:${port}`, {
      createConnection: http2Connection(clientIdentity, allowSpiffeIds(backend)),
    });
    const stream = session.request({ ":path": "/" });
    let text = "";
    for await (const data of stream) text += String(data);
    expect(text).toBe("hello");
    session.destroy();
  });

  it("undici's connector, which refuses plain http", async () => {
    const port = await serve();
    const connector = undiciConnector(clientIdentity, allowSpiffeIds(backend));
    const attempt = (protocol: string): Promise<Error | TLSSocket> =>
      new Promise((resolve) => {
        connector({ hostname: "127.0.0.1", port: String(port), protocol }, (error, socket) => resolve(error ?? socket));
      });
    const socket = await attempt("https:");
    if (socket instanceof Error) throw socket;
    expect(await heard(socket)).toBe(`hello ${frontend}`);
    socket.destroy();
    expect(await attempt("http:")).toBeInstanceOf(TypeError);
  });
});

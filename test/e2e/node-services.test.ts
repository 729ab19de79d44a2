import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { Client, experimental, Metadata, Server, type ServiceDefinition } from "@grpc/grpc-js";
import { type ServedFakeCa, serveFakeCa } from "@signet/agent/testing";
import { parseSpiffeId } from "@signet/spiffe";
import {
  allowSpiffeIds,
  followSvid,
  grpcCertificates,
  grpcVerifyOptions,
  guardServer,
  httpsAgent,
  peerOf,
  type SvidSource,
  serverOptions,
  undiciConnector,
} from "@signet/tls";
import { fetch, Agent as UndiciAgent } from "undici";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ProgramProcess, spawnSignet } from "./support/signet-process.ts";

const frontend = parseSpiffeId("spiffe://cluster.local/ns/demo/sa/frontend");
const authorize = allowSpiffeIds(frontend);
const rotations = 3;

let directory: string;
let ca: ServedFakeCa;
let agent: ProgramProcess;
let source: SvidSource;
let stop: AbortController;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "signet-node-"));
  ca = await serveFakeCa({ port: 0 });
  writeFileSync(join(directory, "root.pem"), ca.rootPem);
  writeFileSync(join(directory, "token"), "top.secret.token");
  const socket = join(directory, "workload.sock");
  agent = spawnSignet(
    ["agent"],
    {
      CA_ADDR: `localhost:${ca.port}`,
      CA_ROOT_CA: "root.pem",
      SIGNET_TOKEN_FILE: "token",
      SIGNET_STATUS_LISTEN: "127.0.0.1:0",
      SIGNET_WORKLOAD_API_SOCKET: socket,
      SECRET_TTL: "4s",
    },
    directory,
  );
  source = followSvid({ endpoint: `unix://${socket}` });
  stop = new AbortController();
  await source.ready(AbortSignal.timeout(60_000));
});

afterAll(async () => {
  stop?.abort();
  source?.close();
  agent?.child.kill("SIGKILL");
  await agent?.exit;
  await ca?.close();
  rmSync(directory, { recursive: true, force: true });
});

/** Does something again and again until the identity has changed a few times, and returns how often it was done. */
async function throughRotations(work: () => Promise<void>): Promise<number> {
  const serials = new Set<bigint | undefined>();
  let done = 0;
  while (serials.size <= rotations) {
    serials.add(source.identity.current()?.svid.chain[0].serialNumber);
    await work();
    done += 1;
  }
  return done;
}

async function listenHttps(): Promise<{ readonly port: number; readonly refused: unknown[] }> {
  const refused: unknown[] = [];
  const server = createServer(serverOptions(source.identity), (incoming, response) => {
    response.end(String(peerOf(incoming.socket as TLSSocket)));
  });
  server.on("tlsClientError", (error) => refused.push(error));
  guardServer(server, source.identity, { authorize, onRefused: (error) => refused.push(error) }, stop.signal);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  stop.signal.addEventListener("abort", () => server.close());
  return { port: (server.address() as AddressInfo).port, refused };
}

function get(port: number, agentToUse: ReturnType<typeof httpsAgent>): Promise<string> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: "127.0.0.1", port, agent: agentToUse }, (response) => {
      let text = "";
      response.on("data", (data) => {
        text += String(data);
      });
      response.on("end", () => resolve(text));
    });
    outgoing.on("error", reject).end();
  });
}

describe("Node programs with an identity from the agent's socket, through rotations under load", () => {
  it("https and undici: no request lost, on fresh connections and on those that are kept", async () => {
    const { port, refused } = await listenHttps();
    const kept = httpsAgent(source.identity, authorize, { keepAlive: true });
    const fresh = httpsAgent(source.identity, authorize);
    const dispatcher = new UndiciAgent({ connect: undiciConnector(source.identity, authorize) });
    const done = await throughRotations(async () => {
      const answers = await Promise.all([
        get(port, kept),
        get(port, fresh),
        fetch(`https://127.0.0.1:${port}/`, { dispatcher }).then((response) => response.text()),
      ]);
      expect(answers).toEqual([frontend, frontend, frontend]);
    });
    expect(done).toBeGreaterThan(20);
    expect(refused).toEqual([]);
    kept.destroy();
    await dispatcher.close();
  });

  it("grpc-js: no call lost, each on a channel of its own", async () => {
    const provider = grpcCertificates(source.identity, stop.signal);
    const identity = (bytes: Buffer): Buffer => bytes;
    const definition: ServiceDefinition = {
      echo: {
        path: "/test.Echo/Echo",
        requestStream: false,
        responseStream: false,
        requestSerialize: identity,
        requestDeserialize: identity,
        responseSerialize: identity,
        responseDeserialize: identity,
      },
    };
    const server = new Server();
    server.addService(definition, {
      echo: (call: { request: Buffer }, reply: (error: null, value: Buffer) => void) => reply(null, call.request),
    });
    const credentials = experimental.createCertificateProviderServerCredentials(provider, provider, true);
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync("127.0.0.1:0", credentials, (error, bound) => (error === null ? resolve(bound) : reject(error)));
    });
    const verify = grpcVerifyOptions(source.identity, authorize);
    await throughRotations(async () => {
      const channel = experimental.createCertificateProviderChannelCredentials(provider, provider, verify);
      const client = new Client(`localhost:${port}`, channel, { "grpc.use_local_subchannel_pool": 1 });
      const answer = await new Promise<Buffer>((resolve, reject) => {
        const options = { deadline: Date.now() + 10_000 };
        client.makeUnaryRequest(
          "/test.Echo/Echo",
          identity,
          identity,
          Buffer.from("hello"),
          new Metadata(),
          options,
          (error, value) => (value === undefined ? reject(error) : resolve(value)),
        );
      });
      expect(answer.toString()).toBe("hello");
      client.close();
    });
    server.forceShutdown();
  });
});

import { once } from "node:events";
import { connect as connectHttp2, createSecureServer } from "node:http2";
import { createServer, request as httpsRequest } from "node:https";
import type { AddressInfo } from "node:net";
import * as grpc from "@grpc/grpc-js";
import { parseWorkload } from "@signet/documents";
import { createGateway, type Gateway, type GatewayRequest } from "@signet/gateway";
import { expressMiddleware } from "@signet/gateway/express";
import { grpcInterceptor } from "@signet/gateway/grpc-js";
import { http2RequestListener, requestListener } from "@signet/gateway/node-http";
import { certificatePem } from "@signet/x509";
import { type TestCa, testLeaf, testRoot } from "@signet/x509/testing";
import express from "express";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { policy, shopAuthorizer } from "./shop-rules.ts";

const peer = "spiffe://cluster.local/ns/shop/sa/frontend";

type Certificate = { readonly cert: string; readonly key: string };

let root: TestCa;
let stranger: TestCa;
let server: Certificate;
let client: Certificate;
let forged: Certificate;

async function certificateOf(issuer: TestCa, name: "server" | "client"): Promise<Certificate> {
  const subjectAltNames = name === "client" ? {} : { subjectAltNames: [{ kind: "dns", value: "localhost" }] as const };
  const { chain, key } = await testLeaf(issuer, { spiffeId: peer, ...subjectAltNames });
  const pem = key.privateKey.export({ format: "pem", type: "pkcs8" });
  return { cert: chain.map(certificatePem).join(""), key: String(pem) };
}

beforeAll(async () => {
  root = await testRoot();
  stranger = await testRoot();
  [server, client, forged] = await Promise.all([
    certificateOf(root, "server"),
    certificateOf(root, "client"),
    certificateOf(stranger, "client"),
  ]);
});

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** A gateway for one workload alone, and what it was told of each request. */
function frontendOnly(): { readonly gateway: Gateway; readonly asked: GatewayRequest[] } {
  const asked: GatewayRequest[] = [];
  const authorizer = shopAuthorizer([
    policy("frontend", { rules: [{ from: [{ source: { principals: ["cluster.local/ns/shop/sa/frontend"] } }] }] }),
  ]);
  const gateway = createGateway({
    authorizer: {
      authorize(request, workload, signal) {
        asked.push(request);
        return authorizer.authorize(request, workload, signal);
      },
    },
    workload: parseWorkload("shop/app=cart"),
  });
  return { gateway, asked };
}

// Whoever shows no certificate, or one of a stranger, gets as far as the gateway: that is where it must matter.
const lenient = (): object => ({ ...server, ca: root.pem, requestCert: true, rejectUnauthorized: false });

type Listening = { listen(port: number, host: string): unknown; address(): unknown; close(): unknown };

async function listen(listening: Listening & NodeJS.EventEmitter): Promise<number> {
  listening.listen(0, "127.0.0.1");
  await once(listening, "listening");
  closing.push(() => listening.close());
  return (listening.address() as AddressInfo).port;
}

async function sendHttps(port: number, certificate: Certificate | undefined): Promise<number> {
  const outgoing = httpsRequest({
    host: "127.0.0.1",
    port,
    servername: "localhost",
    ca: root.pem,
    agent: false,
    ...certificate,
  });
  outgoing.end();
  const [response] = await once(outgoing, "response");
  response.resume();
  return response.statusCode;
}

async function sendHttp2(port: number, certificate: Certificate | undefined): Promise<number> {
  const session = connectHttp2(`https://127.0.0.1:${port}`, { servername: "localhost", ca: root.pem, ...certificate });
  const stream = session.request({ ":path": "/" });
  const [headers] = await once(stream, "response");
  session.destroy();
  return headers[":status"];
}

describe.each([
  [
    "node-http",
    async (gateway: Gateway) =>
      await listen(
        createServer(
          lenient(),
          requestListener(gateway, (_request, response) => void response.end("in")),
        ),
      ),
    sendHttps,
  ],
  [
    "node-http, over HTTP/2",
    async (gateway: Gateway) =>
      await listen(
        createSecureServer(
          lenient(),
          http2RequestListener(gateway, (_request, response) => void response.end("in")),
        ),
      ),
    sendHttp2,
  ],
  [
    "express",
    async (gateway: Gateway) =>
      await listen(
        createServer(
          lenient(),
          express()
            .use(expressMiddleware(gateway))
            .use((_req, res) => void res.send("in")),
        ),
      ),
    sendHttps,
  ],
] as const)("a peer of %s", (_name, start, send) => {
  test("is who its verified certificate says", async () => {
    const { gateway, asked } = frontendOnly();
    const port = await start(gateway);
    expect(await send(port, client)).toBe(200);
    expect(asked[0]).toMatchObject({
      scheme: "https",
      sni: "localhost",
      source: { principal: peer, address: "127.0.0.1" },
    });
  });

  test("is nobody with a certificate of a stranger, or with none", async () => {
    const { gateway, asked } = frontendOnly();
    const port = await start(gateway);
    expect(await send(port, forged)).toBe(403);
    expect(await send(port, undefined)).toBe(403);
    for (const { source } of asked) expect(source.principal).toBeUndefined();
  });
});

test("a peer of grpc-js is who its verified certificate says", async () => {
  const { gateway, asked } = frontendOnly();
  const grpcServer = new grpc.Server({ interceptors: [grpcInterceptor(gateway, grpc)] });
  const codec = {
    requestStream: false,
    responseStream: false,
    requestSerialize: Buffer.from,
    responseSerialize: Buffer.from,
  } as const;
  const read = (octets: Buffer): Buffer => octets;
  const definition = { path: "/shop.Cart/Get", ...codec, requestDeserialize: read, responseDeserialize: read };
  grpcServer.addService(
    { get: definition },
    { get: (_call: unknown, done: grpc.sendUnaryData<Buffer>) => done(null, Buffer.from("in")) },
  );
  const pair = { private_key: Buffer.from(server.key), cert_chain: Buffer.from(server.cert) };
  const credentials = grpc.ServerCredentials.createSsl(Buffer.from(root.pem), [pair], true);
  const port = await new Promise<number>((resolve, reject) =>
    grpcServer.bindAsync("127.0.0.1:0", credentials, (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  closing.push(() => grpcServer.forceShutdown());
  const channel = grpc.credentials.createSsl(Buffer.from(root.pem), Buffer.from(client.key), Buffer.from(client.cert));
  const caller = new grpc.Client(`127.0.0.1:${port}`, channel, { "grpc.ssl_target_name_override": "localhost" });
  closing.push(() => caller.close());
  const answer = await new Promise<Buffer | undefined>((resolve, reject) =>
    caller.makeUnaryRequest(definition.path, read, read, Buffer.from("x"), (error, value) =>
      error === null ? resolve(value) : reject(error),
    ),
  );
  expect(answer?.toString()).toBe("in");
  expect(asked[0]).toMatchObject({ scheme: "https", source: { principal: peer } });
});

import { type EventEmitter, getEventListeners, once } from "node:events";
import { createServer } from "node:net";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { SecretDiscoveryService } from "@signet/protos/envoy/service/secret/v3/sds";
import { IstioCertificateService } from "@signet/protos/istio/security/v1alpha1/ca";
import { constantSource } from "@signet/runtime";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  bindService,
  type Channel,
  type ConnectOptions,
  connect,
  GrpcError,
  plaintextCredentials,
  Status,
  serve,
  tlsServerCredentials,
} from "./index.ts";
import { createClosers } from "./testing/closers.ts";
import { opensslAuthority } from "./testing/openssl-authority.ts";
import { never, unhurried } from "./testing/streams.ts";

const { createCertificate } = IstioCertificateService.method;
const { streamSecrets } = SecretDiscoveryService.method;
const authority = opensslAuthority("authority");
const root = authority.certificatePem;

const closers = createClosers();
afterEach(() => closers.closeAll());

const services = [
  bindService(IstioCertificateService, {
    createCertificate: async (_request, { peer }) => ({ certChain: [peer.address] }),
  }),
];

async function serveTls(subjectAltName: string): Promise<number> {
  const { chainPem, privateKeyPem } = authority.issue(subjectAltName);
  const listener = await serve({
    listen: { host: "127.0.0.1", port: 0 },
    credentials: tlsServerCredentials({
      serving: constantSource({ certificateChainPem: chainPem, privateKeyPem }),
      clientCa: constantSource(root),
    }),
    services,
  });
  closers.add(() => listener.drain(0));
  return "port" in listener.address ? listener.address.port : 0;
}

function channelTo(options: ConnectOptions): Channel {
  const channel = connect(options);
  closers.add(() => channel.close());
  return channel;
}

async function callOn(channel: Channel): Promise<readonly string[]> {
  return (await channel.unary(createCertificate, {}, unhurried)).certChain;
}

describe("a connection", () => {
  test("is made once and used for every call", async () => {
    const channel = channelTo({
      address: `localhost:${await serveTls("DNS:localhost")}`,
      tls: { rootCertificatesPem: root },
    });
    const [first] = await callOn(channel);
    expect(await callOn(channel)).toEqual([first]);
  });

  test("is made again after the server went away and came back", async () => {
    const options = { credentials: plaintextCredentials(), services };
    const first = await serve({ ...options, listen: { host: "127.0.0.1", port: 0 } });
    const port = "port" in first.address ? first.address.port : 0;
    const channel = channelTo({ address: `127.0.0.1:${port}`, reconnect: { initialMs: 10, maxMs: 20 } });
    await callOn(channel);
    await first.drain(0);
    await expect(callOn(channel)).rejects.toMatchObject({ code: Status.UNAVAILABLE });
    const second = await serve({ ...options, listen: { host: "127.0.0.1", port } });
    closers.add(() => second.drain(0));
    while ((await callOn(channel).catch(() => undefined)) === undefined);
  });

  test("that cannot be made in time fails with DEADLINE_EXCEEDED", async () => {
    const silent = createServer(() => {}).listen(0, "127.0.0.1");
    await once(silent, "listening");
    closers.add(() => silent.close());
    const address = silent.address();
    const port = address === null || typeof address === "string" ? 0 : address.port;
    const call = channelTo({ address: `127.0.0.1:${port}` }).unary(
      createCertificate,
      {},
      { deadlineMs: 50, signal: never },
    );
    await expect(call).rejects.toMatchObject({ code: Status.DEADLINE_EXCEEDED });
  });

  test("to where nobody listens fails with UNAVAILABLE", async () => {
    await expect(callOn(channelTo({ address: "127.0.0.1:1" }))).rejects.toMatchObject({ code: Status.UNAVAILABLE });
    await expect(callOn(channelTo({ address: "unix:/no/such.sock" }))).rejects.toMatchObject({
      code: Status.UNAVAILABLE,
    });
  });

  describe("with a proxy in the environment", () => {
    const names = ["http_proxy", "https_proxy", "grpc_proxy", "no_proxy", "no_grpc_proxy"];
    const saved = names.map((name) => [name, process.env[name]] as const);
    beforeEach(() => {
      for (const name of names) delete process.env[name];
      for (const name of names.slice(0, 3)) process.env[name] = "http://127.0.0.1:1";
    });
    afterEach(() => {
      for (const [name, value] of saved) {
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
      }
    });
    test("does not use it", async () => {
      const address = `localhost:${await serveTls("DNS:localhost")}`;
      await callOn(channelTo({ address, tls: { rootCertificatesPem: root } }));
    });
  });
});

describe("a closed channel", () => {
  test("fails new calls with UNAVAILABLE, and may be closed again", async () => {
    const channel = channelTo({
      address: `localhost:${await serveTls("DNS:localhost")}`,
      tls: { rootCertificatesPem: root },
    });
    await callOn(channel);
    channel.close();
    channel.close();
    await expect(callOn(channel)).rejects.toMatchObject({ code: Status.UNAVAILABLE });
    const stream = channel.stream(streamSecrets, (async function* () {})(), { signal: never });
    await expect(stream[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: Status.UNAVAILABLE });
  });
});

test.each(["", "localhost", ":1", "localhost:", "localhost:0", "localhost:65536", "::1:80", "a b:1", "http://a:1"])(
  "%j is no address",
  (address) => {
    expect(() => connect({ address })).toThrow(GrpcError);
    expect(() => connect({ address })).toThrow(expect.objectContaining({ code: "address-malformed" }));
  },
);

test("metadata that cannot be sent fails the call and is not quoted", async () => {
  const channel = channelTo({ address: "127.0.0.1:1" });
  const call = channel.unary(createCertificate, {}, { ...unhurried, metadata: { authorization: "Bearer s3cret\n" } });
  const error: unknown = await call.catch((caught: unknown) => caught);
  expect(error).toMatchObject({ code: Status.INTERNAL, message: expect.stringContaining("authorization") });
  expect(String(error)).not.toContain("s3cret");
});

test("a request that cannot be serialized fails with INTERNAL", async () => {
  const channel = channelTo({ address: "127.0.0.1:1" });
  const call = channel.unary(createCertificate, { validityDuration: "soon" as never }, unhurried);
  await expect(call).rejects.toMatchObject({ name: "StatusError", code: Status.INTERNAL });
});

test("a signal that was aborted before makes no call", async () => {
  const channel = channelTo({ address: "127.0.0.1:1" });
  const call = channel.unary(createCertificate, {}, { deadlineMs: 1_000, signal: AbortSignal.abort() });
  await expect(call).rejects.toMatchObject({ code: Status.CANCELLED });
});

test("calls leave no listener on their signal", async () => {
  const channel = channelTo({
    address: `localhost:${await serveTls("DNS:localhost")}`,
    tls: { rootCertificatesPem: root },
  });
  const { signal } = new AbortController();
  await channel.unary(createCertificate, {}, { deadlineMs: 20_000, signal });
  const stream = channel.stream(streamSecrets, (async function* () {})(), { signal });
  await stream[Symbol.asyncIterator]()
    .next()
    .catch(() => {});
  expect(getEventListeners(signal, "abort")).toEqual([]);
});

test.each([
  { responses: 0, code: Status.UNIMPLEMENTED },
  { responses: 2, code: Status.UNIMPLEMENTED },
])("a unary call that gets $responses responses fails", async ({ responses, code }) => {
  const channel = channelTo({ address: await serveRaw(Array.from({ length: responses }, () => Buffer.alloc(0))) });
  await expect(callOn(channel)).rejects.toMatchObject({ code });
});

test("a response that is no valid protobuf fails with INTERNAL", async () => {
  const channel = channelTo({ address: await serveRaw([Buffer.from([0x0f])]) });
  await expect(callOn(channel)).rejects.toMatchObject({ code: Status.INTERNAL });
});

/** A server of grpc-js that answers the unary method with these messages and OK. */
async function serveRaw(responses: readonly Buffer[]): Promise<string> {
  const server = new Server();
  const same = (message: Buffer): Buffer => message;
  const codec = {
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
  const path = "/istio.v1.auth.IstioCertificateService/CreateCertificate";
  server.addService(
    { method: { path, requestStream: false, responseStream: true, ...codec } },
    {
      method: (call: EventEmitter & { write(message: Buffer): void; end(): void }) => {
        for (const response of responses) call.write(response);
        call.end();
      },
    },
  );
  closers.add(() => server.forceShutdown());
  return new Promise((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
      if (error === null) resolve(`127.0.0.1:${port}`);
      else reject(error);
    });
  });
}

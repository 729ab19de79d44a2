import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect, type OutgoingHttpHeaders } from "node:http2";
import { connect as tcpConnect } from "node:net";
import { deflateSync, gzipSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { SecretDiscoveryService } from "@signet/protos/envoy/service/secret/v3/sds";
import { Health, HealthCheckResponse_ServingStatus as Serving } from "@signet/protos/grpc/health/v1/health";
import { IstioCertificateRequestSchema, IstioCertificateService } from "@signet/protos/istio/security/v1alpha1/ca";
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { createInbox } from "./inbox.ts";
import { bindService, type CallEvent, plaintextCredentials, Status, serve } from "./index.ts";

const unaryPath = "/istio.v1.auth.IstioCertificateService/CreateCertificate";
const streamPath = "/envoy.service.secret.v3.SecretDiscoveryService/StreamSecrets";
const endlessPath = "/grpc.health.v1.Health/Watch";
const good = toBinary(IstioCertificateRequestSchema, create(IstioCertificateRequestSchema, { csr: "a CSR" }));

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function start() {
  const calls = createInbox<CallEvent>(() => {});
  const handled: string[] = [];
  const reasons = createInbox<unknown>(() => {});
  const listener = await serve({
    listen: { host: "127.0.0.1", port: 0 },
    credentials: plaintextCredentials(),
    onCall: (event) => calls.push(event),
    services: [
      bindService(IstioCertificateService, {
        async createCertificate({ csr }) {
          handled.push(csr);
          return { certChain: [csr] };
        },
      }),
      bindService(Health, {
        async *watch(_requests, { signal }) {
          try {
            for (;;) yield { status: Serving.SERVING };
          } finally {
            reasons.push(signal.reason);
          }
        },
      }),
      bindService(SecretDiscoveryService, {
        async *streamSecrets(requests) {
          for await (const { responseNonce } of requests) yield { nonce: responseNonce };
        },
      }),
    ],
  });
  closers.push(() => listener.drain(0));
  const port = "port" in listener.address ? listener.address.port : 0;
  const session = connect(`http://127.0.0.1:${port}`);
  session.on("error", () => {});
  closers.push(() => session.destroy());
  return { session, port, handled, reasons, code: async () => (await calls.next()).value?.code };
}

function request(session: ClientHttp2Session, headers: OutgoingHttpHeaders): ClientHttp2Stream {
  const stream = session.request({
    ":method": "POST",
    ":path": unaryPath,
    "content-type": "application/grpc",
    te: "trailers",
    ...headers,
  });
  stream.on("error", () => {});
  return stream;
}

function framed(message: Uint8Array, { flag = 0, length = message.length } = {}): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(flag, 0);
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, message]);
}

type Ending = { readonly httpStatus: unknown; readonly status: unknown };

/** How the server ended `stream`: HTTP status, and gRPC status from trailers or from headers that are all there is. */
async function ending(stream: ClientHttp2Stream): Promise<Ending> {
  let headers: Record<string, unknown> = {};
  let trailers: Record<string, unknown> = {};
  stream.on("response", (received) => {
    headers = received;
  });
  stream.on("trailers", (received) => {
    trailers = received;
  });
  stream.resume();
  await once(stream, "close");
  const status = trailers["grpc-status"] ?? headers["grpc-status"];
  return { httpStatus: headers[":status"], status: status === undefined ? undefined : Number(status) };
}

async function answered(session: ClientHttp2Session): Promise<void> {
  const stream = request(session, {});
  stream.end(framed(good));
  expect(await ending(stream)).toEqual({ httpStatus: 200, status: Status.OK });
}

describe("a unary call", () => {
  const bomb = gzipSync(Buffer.alloc(50_000_000));
  const gzip = { "grpc-encoding": "gzip" };
  const cases: readonly { what: string; headers?: OutgoingHttpHeaders; body: Uint8Array; status: Status }[] = [
    { what: "that is fine", body: framed(good), status: Status.OK },
    { what: "compressed by gzip", headers: gzip, body: framed(gzipSync(good), { flag: 1 }), status: Status.OK },
    {
      what: "compressed by deflate",
      headers: { "grpc-encoding": "deflate" },
      body: framed(deflateSync(good), { flag: 1 }),
      status: Status.OK,
    },
    { what: "without a request", body: Buffer.alloc(0), status: Status.UNIMPLEMENTED },
    { what: "with two requests", body: Buffer.concat([framed(good), framed(good)]), status: Status.UNIMPLEMENTED },
    { what: "whose request is cut short", body: framed(good, { length: 100 }), status: Status.UNIMPLEMENTED },
    { what: "whose prefix is cut short", body: Buffer.alloc(3), status: Status.UNIMPLEMENTED },
    { what: "that says 4 GiB", body: framed(good, { length: 0xffff_ffff }), status: Status.RESOURCE_EXHAUSTED },
    {
      what: "that unpacks to 50 MB",
      headers: gzip,
      body: framed(bomb, { flag: 1 }),
      status: Status.RESOURCE_EXHAUSTED,
    },
    { what: "that is no gzip", headers: gzip, body: framed(good, { flag: 1 }), status: Status.INTERNAL },
    {
      what: "compressed by something unknown",
      headers: { "grpc-encoding": "brotli" },
      body: framed(good, { flag: 1 }),
      status: Status.UNIMPLEMENTED,
    },
    {
      what: "with a timeout that is none",
      headers: { "grpc-timeout": "soon" },
      body: framed(good),
      status: Status.INTERNAL,
    },
  ];
  test.each(cases)("$what answers its status, is reported with it, and harms no other", async (sent) => {
    const { session, code, handled } = await start();
    const stream = request(session, sent.headers ?? {});
    stream.end(sent.body);
    expect(await ending(stream)).toEqual({ httpStatus: 200, status: sent.status });
    expect(await code()).toBe(sent.status);
    if (sent.status === Status.OK) expect(handled).toEqual(["a CSR"]);
    await answered(session);
  });

  test.each([
    { what: "of another content type", headers: { "content-type": "application/json" }, httpStatus: 415 },
    { what: "of no content type", headers: { "content-type": undefined }, httpStatus: 415 },
    { what: "of an unknown method", headers: { ":path": "/no.Such/Method" }, httpStatus: 200 },
    { what: "of a path that is none", headers: { ":path": "/__proto__" }, httpStatus: 200 },
  ])("$what is refused", async ({ headers, httpStatus }) => {
    const { session, handled } = await start();
    const stream = request(session, headers);
    stream.end(framed(good));
    const status = httpStatus === 200 ? Status.UNIMPLEMENTED : undefined;
    expect(await ending(stream)).toEqual({ httpStatus, status });
    expect(handled).toEqual([]);
    await answered(session);
  });

  test("that is reset before its request is complete is reported as cancelled", async () => {
    const { session, code } = await start();
    const whole = framed(good);
    for (let sent = 0; sent < whole.length; sent++) {
      const stream = request(session, {});
      stream.write(whole.subarray(0, sent));
      stream.close(8);
      await once(stream, "close");
      expect(await code()).toBe(Status.CANCELLED);
    }
    await answered(session);
  });
});

test("a stream whose second request is no protobuf ends with INTERNAL after the first was answered", async () => {
  const { session, code } = await start();
  const stream = request(session, { ":path": streamPath });
  stream.write(framed(Buffer.alloc(0)));
  await once(stream, "data");
  stream.end(framed(Buffer.from([0x0f])));
  expect((await ending(stream)).status).toBe(Status.INTERNAL);
  expect(await code()).toBe(Status.INTERNAL);
});

test("a stream whose deadline passes ends with DEADLINE_EXCEEDED, whatever its handler throws then", async () => {
  const { session, code } = await start();
  const stream = request(session, { ":path": streamPath, "grpc-timeout": "50m" });
  stream.write(framed(Buffer.alloc(0)));
  expect((await ending(stream)).status).toBe(Status.DEADLINE_EXCEEDED);
  expect(await code()).toBe(Status.DEADLINE_EXCEEDED);
});

test("a handler that is still writing when the deadline passes does not spoil the status", async () => {
  const { session } = await start();
  const stream = request(session, { ":path": endlessPath, "grpc-timeout": "50m" });
  stream.end(framed(Buffer.alloc(0)));
  expect((await ending(stream)).status).toBe(Status.DEADLINE_EXCEEDED);
});

test("a client that sets a deadline and then does not read does not keep its handler", async () => {
  const { session, reasons } = await start();
  const stream = request(session, { ":path": endlessPath, "grpc-timeout": "50m" });
  stream.end(framed(Buffer.alloc(0)));
  expect(await reasons.next()).toMatchObject({ value: { code: Status.DEADLINE_EXCEEDED } });
});

test("random bytes never end the server or reach a handler as a request", async () => {
  const { session, handled } = await start();
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 64 }), fc.boolean(), async (bytes, compressed) => {
      const stream = request(session, { ":path": streamPath, "grpc-encoding": "gzip" });
      stream.end(framed(bytes, { flag: compressed ? 1 : 0 }));
      expect([Status.OK, Status.INTERNAL]).toContain((await ending(stream)).status);
    }),
    { numRuns: 200 },
  );
  expect(handled).toEqual([]);
  await answered(session);
});

test.each([
  { what: "HTTP/1.1", bytes: Buffer.from("POST / HTTP/1.1\r\nhost: x\r\n\r\n") },
  { what: "TLS", bytes: Buffer.from([0x16, 0x03, 0x01, 0x00, 0x05, 1, 2, 3, 4, 5]) },
  { what: "a preface and nonsense", bytes: Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnonsense nonsense nonsense") },
])("a connection that speaks $what is closed and harms no other", async ({ bytes }) => {
  const { session, port } = await start();
  const socket = tcpConnect(port, "127.0.0.1");
  socket.on("error", () => {});
  socket.write(bytes);
  await once(socket.resume(), "close");
  await answered(session);
});

test("a client that vanishes in the middle of calls harms no other", async () => {
  const { session, port, code } = await start();
  const other = connect(`http://127.0.0.1:${port}`);
  other.on("error", () => {});
  const streams = Array.from({ length: 20 }, () => request(other, { ":path": streamPath }));
  for (const stream of streams) stream.write(framed(Buffer.alloc(0)));
  await Promise.all(streams.map((stream) => once(stream, "data")));
  other.destroy();
  for (const _ of streams) expect(await code()).toBe(Status.CANCELLED);
  await answered(session);
});

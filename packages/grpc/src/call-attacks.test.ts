import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect, type OutgoingHttpHeaders } from "node:http2";
import { gzipSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { SecretDiscoveryService } from "@signet/protos/envoy/service/secret/v3/sds";
import { IstioCertificateRequestSchema, IstioCertificateService } from "@signet/protos/istio/security/v1alpha1/ca";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createInbox } from "./inbox.ts";
import {
  bindService,
  type CallErrorEvent,
  type CallEvent,
  plaintextCredentials,
  type ServeOptions,
  Status,
  StatusError,
  type StreamHandler,
  serve,
  type UnaryHandler,
} from "./index.ts";
import { frameMessage } from "./message-decoder.ts";
import { createClosers } from "./testing/closers.ts";

const unaryPath = "/istio.v1.auth.IstioCertificateService/CreateCertificate";
const streamPath = "/envoy.service.secret.v3.SecretDiscoveryService/StreamSecrets";
const closers = createClosers();
afterEach(() => closers.closeAll());

type Handlers = {
  readonly unary?: UnaryHandler<{ readonly csr: string }, { certChain?: string[] }>;
  readonly stream?: StreamHandler<unknown, { nonce?: string }>;
};

async function start(handlers: Handlers, options: Partial<ServeOptions> = {}) {
  const calls = createInbox<CallEvent>(() => {});
  const errors: CallErrorEvent[] = [];
  const counts = { started: 0, over: 0 };
  const listener = await serve({
    listen: { host: "127.0.0.1", port: 0 },
    credentials: plaintextCredentials(),
    onStart: () => counts.started++,
    onCall: (event) => {
      counts.over++;
      calls.push(event);
    },
    onError: (event) => errors.push(event),
    services: [
      bindService(IstioCertificateService, {
        createCertificate: handlers.unary ?? (async ({ csr }) => ({ certChain: [csr] })),
      }),
      bindService(SecretDiscoveryService, handlers.stream === undefined ? {} : { streamSecrets: handlers.stream }),
    ],
    ...options,
  });
  closers.add(() => listener.drain(0));
  const port = "port" in listener.address ? listener.address.port : 0;
  const open = (settings = {}): ClientHttp2Session => {
    const session = connect(`http://127.0.0.1:${port}`, { settings });
    session.on("error", () => {});
    closers.add(() => session.destroy());
    return session;
  };
  return { open, counts, errors, code: async () => (await calls.next()).value?.code };
}

function request(session: ClientHttp2Session, headers: OutgoingHttpHeaders = {}): ClientHttp2Stream {
  const defaults = { ":method": "POST", ":path": unaryPath, "content-type": "application/grpc", te: "trailers" };
  const stream = session.request({ ...defaults, ...headers }, { endStream: false });
  stream.on("error", () => {});
  return stream;
}

function framed(csr = ""): Buffer {
  return frameMessage(toBinary(IstioCertificateRequestSchema, create(IstioCertificateRequestSchema, { csr })));
}

/** HTTP and gRPC status, the latter of headers or trailers, and how the stream was closed. */
async function ending(stream: ClientHttp2Stream) {
  const seen: Record<string, unknown> = {};
  stream.on("response", (headers) => Object.assign(seen, headers));
  stream.on("trailers", (trailers) => Object.assign(seen, trailers));
  stream.resume();
  // Not once(), which rejects where a stream is reset.
  if (!stream.destroyed) await new Promise((resolve) => stream.on("close", resolve));
  const status = seen["grpc-status"];
  return { http: seen[":status"], status: status === undefined ? undefined : Number(status), rst: stream.rstCode };
}

/** Resolves when the server has seen all that was sent before. */
function roundTrip(session: ClientHttp2Session): Promise<void> {
  return new Promise((resolve) => session.ping(() => resolve()));
}

async function answered(session: ClientHttp2Session): Promise<void> {
  const stream = request(session);
  stream.end(framed());
  expect(await ending(stream)).toMatchObject({ http: 200, status: Status.OK });
}

describe("a request that is no call", () => {
  const never: Handlers = { unary: async () => expect.unreachable("it was called") };

  test.each(["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "POST2"])("as with %s is refused", async (method) => {
    const { open, counts } = await start(never);
    const stream = request(open(), { ":method": method });
    if (method !== "GET" && method !== "HEAD" && method !== "DELETE") stream.write(framed());
    stream.end();
    expect(await ending(stream)).toMatchObject({ http: 405, status: undefined });
    expect(counts.started).toBe(0);
  });

  test.each([
    ["application/grpc", true],
    ["application/grpc+proto", true],
    ["application/grpc;charset=utf-8", true],
    ["application/grpc-web", false],
    ["application/grpcx", false],
    ["application/grp", false],
    ["text/application/grpc", false],
    ["", false],
  ])("by its content type %j is refused, and no other", async (contentType, served) => {
    const { open } = await start({});
    const stream = request(open(), { "content-type": contentType });
    stream.end(framed());
    expect(await ending(stream)).toMatchObject(served ? { status: Status.OK } : { http: 415, status: undefined });
  });

  test.each([
    { what: "of another content type", headers: { "content-type": "text/html" } },
    { what: "of another method", headers: { ":path": "/no.Such/Method" } },
    { what: "with another verb", headers: { ":method": "PUT" } },
  ])("$what is not kept by a client that never ends it", async ({ headers }) => {
    const { open } = await start(never);
    const session = open();
    const streams = Array.from({ length: 50 }, () => request(session, headers));
    expect(new Set((await Promise.all(streams.map(ending))).map(({ rst }) => rst))).toEqual(new Set([0]));
  });
});

describe("what comes packed", () => {
  test("counts among unfinished requests as what it becomes", async () => {
    const { open } = await start({}, { maxUnfinishedBytes: 3_000_000 });
    const session = open();
    const packed = frameMessage(gzipSync(framed("x".repeat(1_000_000)).subarray(5)));
    packed[0] = 1;
    expect(packed.length).toBeLessThan(10_000);
    const streams = Array.from({ length: 10 }, () => request(session, { "grpc-encoding": "gzip" }));
    const endings = streams.map(ending);
    for (const stream of streams) stream.write(packed);
    let refused = 0;
    const refusals = endings.map(async (end) => {
      const { status } = await end;
      if (status === Status.RESOURCE_EXHAUSTED) refused++;
      return status;
    });
    await vi.waitFor(() => expect(refused).toBe(8), { timeout: 10_000 });
    for (const stream of streams) if (!stream.closed) stream.end();
    expect((await Promise.all(refusals)).filter((status) => status === Status.OK)).toHaveLength(2);
  });
});

describe("a handler whose status cannot be sent", () => {
  const metadatas = [{ ":status": "500" }, { connection: "close" }, { te: "trailers" }, { "transfer-encoding": "x" }];
  test.each(metadatas)("because of %j shows INTERNAL, and is reported", async (metadata) => {
    const failure = () => new StatusError(Status.NOT_FOUND, "hunter2", { metadata });
    const { open, errors } = await start({
      unary: async () => {
        throw failure();
      },
      stream: async function* () {
        yield {};
        throw failure();
      },
    });
    const session = open();
    for (const path of [unaryPath, streamPath]) {
      const stream = request(session, { ":path": path });
      stream.end(framed());
      expect(await ending(stream)).toMatchObject({ status: Status.INTERNAL });
    }
    expect(errors).toHaveLength(2);
  });

  test("because one name has two values has its stream reset, or shows both", async () => {
    const failure = () => new StatusError(Status.NOT_FOUND, "no", { metadata: { age: ["1", "2"] } });
    const { open, code } = await start({
      unary: async () => {
        throw failure();
      },
      stream: async function* () {
        yield {};
        throw failure();
      },
    });
    const session = open();
    for (const path of [unaryPath, streamPath]) {
      const stream = request(session, { ":path": path });
      stream.end(framed());
      expect([Status.NOT_FOUND, undefined]).toContain((await ending(stream)).status);
      expect([Status.NOT_FOUND, Status.CANCELLED]).toContain(await code());
    }
  });
});

describe("a client that reads nothing", () => {
  test("and sends what is refused aborts its handler at once", async () => {
    const reason = Promise.withResolvers<unknown>();
    const { open } = await start({
      async *stream(requests, { signal }) {
        signal.addEventListener("abort", () => reason.resolve(signal.reason));
        requests[Symbol.asyncIterator]()
          .next()
          .catch(() => {});
        for (;;) yield { nonce: "x".repeat(10_000) };
      },
    });
    const stream = request(open({ initialWindowSize: 0 }), { ":path": streamPath });
    stream.write(Buffer.of(0, 0xff, 0xff, 0xff, 0xff));
    expect(await reason.promise).toMatchObject({ code: Status.RESOURCE_EXHAUSTED });
  });

  test("is told no more once its unary call is due, and its stream is reset", async () => {
    const { open, code } = await start({}, { unaryDeadlineMs: 200 });
    const stream = request(open({ initialWindowSize: 0 }));
    stream.end(framed("a CSR"));
    expect(await ending(stream)).toMatchObject({ status: undefined, rst: 8 });
    expect(await code()).toBe(Status.CANCELLED);
  });

  describe("of a stream that has its status", () => {
    beforeEach(() => {
      vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance", "Date"] });
    });
    afterEach(() => {
      vi.useRealTimers();
    });

    test("has it reset after a while", async () => {
      const finished = Promise.withResolvers<void>();
      const { open, code } = await start({
        async *stream() {
          try {
            yield { nonce: "x" };
          } finally {
            finished.resolve();
          }
        },
      });
      const stream = request(open({ initialWindowSize: 0 }), { ":path": streamPath, "grpc-timeout": "1S" });
      const end = ending(stream);
      stream.end();
      await once(stream, "response");
      await vi.advanceTimersByTimeAsync(1_000);
      expect(stream.closed).toBe(false);
      await vi.advanceTimersByTimeAsync(20_000);
      expect(await end).toMatchObject({ status: undefined, rst: 8 });
      await finished.promise;
      expect(await code()).toBe(Status.DEADLINE_EXCEEDED);
    });
  });
});

describe("a client that leaves", () => {
  const whole = framed("a CSR");
  const phases: readonly { readonly when: string; readonly send: (stream: ClientHttp2Stream) => void }[] = [
    { when: "before it has sent anything", send: () => {} },
    { when: "amid its message", send: (stream) => stream.write(whole.subarray(0, 7)) },
    { when: "before it ends the call", send: (stream) => stream.write(whole) },
    { when: "while the handler works", send: (stream) => stream.end(whole) },
  ];
  test.each(phases)("$when is counted once as cancelled, by reset or by connection", async ({ send }) => {
    const { open, counts, code, errors } = await start({
      unary: (_request, { signal }) =>
        new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
    });
    const leave: readonly ((stream: ClientHttp2Stream) => unknown)[] = [
      (stream) => stream.close(8),
      (stream) => stream.session?.destroy(),
    ];
    for (const go of leave) {
      const session = open();
      await once(session, "remoteSettings");
      const stream = request(session);
      send(stream);
      await roundTrip(session);
      go(stream);
      expect(await code()).toBe(Status.CANCELLED);
    }
    expect(counts.over).toBe(counts.started);
    expect(errors).toEqual([]);
  });

  test("as soon as the answer begins harms no other", async () => {
    const { open, counts, code } = await start({ unary: async () => ({ certChain: ["x".repeat(200_000)] }) });
    const session = open();
    for (let turn = 0; turn < 20; turn++) {
      const stream = request(session);
      stream.end(whole);
      await once(stream, "response");
      stream.close(8);
      expect([Status.CANCELLED, Status.OK]).toContain(await code());
    }
    expect(counts).toEqual({ started: 20, over: 20 });
  });

  test("in the same packet as the end of its request is counted once, and harms no other", async () => {
    const { open, counts, code, errors } = await start({});
    const session = open();
    await once(session, "remoteSettings");
    for (let turn = 0; turn < 50; turn++) {
      const stream = request(session);
      stream.end(whole);
      stream.close(8);
      if (turn % 5 === 0) await roundTrip(session);
    }
    await answered(session);
    while ((await code()) !== Status.OK);
    await vi.waitFor(() => expect(counts.over).toBe(counts.started));
    expect(errors).toEqual([]);
  });

  test("with GOAWAY still gets the answers of its calls", async () => {
    const go = Promise.withResolvers<void>();
    const { open } = await start({
      unary: async ({ csr }) => {
        await go.promise;
        return { certChain: [csr] };
      },
    });
    const session = open();
    await once(session, "remoteSettings");
    const streams = [request(session), request(session)];
    const endings = streams.map(ending);
    for (const stream of streams) stream.end(whole);
    await roundTrip(session);
    session.goaway(0);
    session.close();
    go.resolve();
    for (const end of endings) expect(await end).toMatchObject({ status: Status.OK });
  });
});

test("a thousand calls at a time on one connection get each its own answer", async () => {
  const go = Promise.withResolvers<void>();
  let waiting = 0;
  const { open, counts } = await start({
    unary: async ({ csr }) => {
      if (++waiting === 1_000) go.resolve();
      await go.promise;
      return { certChain: [csr] };
    },
  });
  const session = open();
  await once(session, "remoteSettings");
  const answers = Array.from({ length: 1_000 }, async (_, index) => {
    const stream = request(session);
    const chunks: Buffer[] = [];
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.end(framed(`csr ${index}`));
    expect(await ending(stream)).toMatchObject({ status: Status.OK });
    expect(Buffer.concat(chunks).toString()).toContain(`csr ${index}`);
  });
  await Promise.all(answers);
  expect(counts).toEqual({ started: 1_000, over: 1_000 });
  await answered(session);
});

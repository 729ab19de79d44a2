import { create, toBinary } from "@bufbuild/protobuf";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { SecretDiscoveryService } from "@signet/protos/envoy/service/secret/v3/sds";
import { Health } from "@signet/protos/grpc/health/v1/health";
import { IstioCertificateRequestSchema, IstioCertificateService } from "@signet/protos/istio/security/v1alpha1/ca";
import { afterEach, describe, expect, test } from "vitest";
import { createInbox } from "./inbox.ts";
import {
  bindService,
  type CallErrorEvent,
  type CallEvent,
  connect,
  onlyRequest,
  plaintextCredentials,
  type ServeOptions,
  Status,
  StatusError,
  serve,
  type UnaryHandler,
} from "./index.ts";
import { type TestPair, testPair } from "./testing.ts";

const createCertificate = IstioCertificateService.method.createCertificate;
const { streamSecrets } = SecretDiscoveryService.method;
const never = new AbortController().signal;
const unhurried = { deadlineMs: 20_000, signal: never };

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

type Answer = UnaryHandler<{ readonly csr: string }, { certChain: string[] }>;

/** A server whose one unary method is `answer`, with what it reported. */
async function pairOf(answer: Answer, options: Partial<ServeOptions> = {}) {
  const calls = createInbox<CallEvent>(() => {});
  const errors: CallErrorEvent[] = [];
  const pair = await testPair([bindService(IstioCertificateService, { createCertificate: answer })], {
    serve: { onCall: (event) => calls.push(event), onError: (event) => errors.push(event), ...options },
  });
  closers.push(() => pair.close());
  return { ...pair, calls, errors };
}

async function nextCode(calls: AsyncIterator<CallEvent>): Promise<Status | undefined> {
  const { value } = await calls.next();
  return value?.code;
}

/** A client of grpc-js itself, which sends the bytes it is given. */
function rawUnary(pair: TestPair, path: string, bytes: Uint8Array): Promise<Status> {
  const client = new Client(`unix:${pair.socketPath}`, credentials.createInsecure());
  closers.push(() => client.close());
  const same = (message: Buffer): Buffer => message;
  return new Promise((resolve) => {
    client.makeUnaryRequest(path, same, same, Buffer.from(bytes), new Metadata(), (error) =>
      resolve((error?.code ?? Status.OK) as Status),
    );
  });
}

describe("a unary call", () => {
  test("is answered", async () => {
    const { channel, calls } = await pairOf(async ({ csr }) => ({ certChain: [csr, "root"] }));
    const response = await channel.unary(createCertificate, { csr: "a CSR" }, unhurried);
    expect(response.certChain).toEqual(["a CSR", "root"]);
    const { value } = await calls.next();
    expect(value).toEqual({
      service: "istio.v1.auth.IstioCertificateService",
      method: "CreateCertificate",
      code: Status.OK,
      durationMs: expect.any(Number),
      peer: { address: "unix", transport: "unix" },
    });
  });

  test("of many at once is answered with its own answer", async () => {
    const { channel } = await pairOf(async ({ csr }) => ({ certChain: [csr] }));
    const names = Array.from({ length: 100 }, (_, index) => `csr ${index}`);
    const answers = await Promise.all(names.map((csr) => channel.unary(createCertificate, { csr }, unhurried)));
    expect(answers.flatMap((answer) => answer.certChain)).toEqual(names);
  });

  const failures = Object.values(Status).filter((code) => code !== Status.OK);
  test.each(failures)("that fails with status %i shows the client code, sentence and trailers", async (code) => {
    const { channel, calls, errors } = await pairOf(async () => {
      const metadata = { "retry-after": "3", names: ["a", "b"], "details-bin": "AQID" };
      throw new StatusError(code, "no: ünïcode, 100 %\nand \ud800", { metadata, cause: new Error("secret") });
    });
    const error = await channel.unary(createCertificate, {}, unhurried).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(StatusError);
    if (!(error instanceof StatusError)) return;
    expect(error.code).toBe(code);
    expect(error.message).toBe("no: ünïcode, 100 %\nand \ufffd");
    expect(error.metadata.get("retry-after")).toEqual(["3"]);
    expect(error.metadata.get("names").join()).toMatch(/^a, ?b$/);
    expect(error.metadata.get("details-bin")).toEqual(["AQID"]);
    expect(await nextCode(calls)).toBe(code);
    expect(errors).toEqual([]);
  });

  const unsendable = {
    get certChain(): string[] {
      throw new Error("password: hunter2");
    },
  };
  const failing: readonly { what: string; answer: Answer }[] = [
    { what: "an error that is no StatusError", answer: () => Promise.reject(new Error("password: hunter2")) },
    { what: "something that is no error", answer: () => Promise.reject("hunter2") },
    { what: "nothing", answer: () => Promise.reject(undefined) },
    { what: "a StatusError that says OK", answer: () => Promise.reject(new StatusError(Status.OK, "hunter2")) },
    { what: "an error at once", answer: () => expect.unreachable("hunter2") },
    { what: "a response that cannot be sent", answer: async () => unsendable },
    {
      what: "trailers that cannot be sent",
      answer: async () => {
        throw new StatusError(Status.NOT_FOUND, "hunter2", { metadata: { "no name": "hunter2" } });
      },
    },
  ];
  test.each(failing)("whose handler gives $what shows no more than INTERNAL", async ({ answer }) => {
    const { channel, calls, errors } = await pairOf(answer);
    const expected = { code: Status.INTERNAL, message: "internal error" };
    await expect(channel.unary(createCertificate, {}, unhurried)).rejects.toMatchObject(expected);
    expect(await nextCode(calls)).toBe(Status.INTERNAL);
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatchObject({ service: "istio.v1.auth.IstioCertificateService", method: "CreateCertificate" });
  });

  test("does not pass on what another server said to us", async () => {
    const behind = await pairOf(async () => {
      throw new StatusError(Status.NOT_FOUND, "not for the client's eyes");
    });
    const front = await pairOf(({ csr }, { signal }) =>
      behind.channel.unary(createCertificate, { csr }, { deadlineMs: 20_000, signal }),
    );
    const expected = { code: Status.INTERNAL, message: "internal error" };
    await expect(front.channel.unary(createCertificate, {}, unhurried)).rejects.toMatchObject(expected);
    expect(front.errors[0]?.error).toMatchObject({ code: Status.NOT_FOUND });
  });

  test("brings its metadata, with names in any case", async () => {
    const { channel } = await pairOf(async (_request, { metadata }) => ({
      certChain: [...metadata.get("Authorization"), ...metadata.get("clusterid"), ...metadata.get("x-bin"), "end"],
    }));
    const metadata = { authorization: "Bearer x", ClusterID: "Kubernetes", "x-bin": "AQID" };
    const { certChain } = await channel.unary(createCertificate, {}, { ...unhurried, metadata });
    expect(certChain).toEqual(["Bearer x", "Kubernetes", "AQID", "end"]);
  });

  test("that the client cancels aborts the handler's signal", async () => {
    const started = Promise.withResolvers<void>();
    const aborted = Promise.withResolvers<unknown>();
    const { channel, calls, errors } = await pairOf((_request, { signal }) => {
      started.resolve();
      return new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => {
          aborted.resolve(signal.reason);
          reject(signal.reason);
        });
      });
    });
    const controller = new AbortController();
    const call = channel.unary(createCertificate, {}, { deadlineMs: 20_000, signal: controller.signal });
    await started.promise;
    controller.abort(new Error("not needed any more"));
    await expect(call).rejects.toMatchObject({ code: Status.CANCELLED, cause: new Error("not needed any more") });
    expect(await aborted.promise).toMatchObject({ code: Status.CANCELLED });
    expect(await nextCode(calls)).toBe(Status.CANCELLED);
    expect(errors).toEqual([]);
  });

  test("that takes longer than its deadline fails with DEADLINE_EXCEEDED on both sides", async () => {
    const aborted = Promise.withResolvers<unknown>();
    const { channel, calls } = await pairOf((_request, { signal }) => {
      signal.addEventListener("abort", () => aborted.resolve(signal.reason));
      return new Promise(() => {});
    });
    const call = channel.unary(createCertificate, {}, { deadlineMs: 100, signal: never });
    await expect(call).rejects.toMatchObject({ code: Status.DEADLINE_EXCEEDED });
    // The client's own clock may cancel the call a moment before the server's does.
    const codes = [Status.DEADLINE_EXCEEDED, Status.CANCELLED];
    expect(codes).toContain(((await aborted.promise) as StatusError).code);
    expect(codes).toContain(await nextCode(calls));
  });

  test("of a method without handler, and of an unknown one, answers UNIMPLEMENTED", async () => {
    const pair = await testPair([bindService(SecretDiscoveryService, {})]);
    closers.push(() => pair.close());
    const { fetchSecrets } = SecretDiscoveryService.method;
    for (const call of [
      () => pair.channel.unary(fetchSecrets, {}, unhurried),
      () => pair.channel.unary(createCertificate, {}, unhurried),
      () => collect(pair.channel.stream(streamSecrets, from([{}]), { signal: never })),
    ]) {
      await expect(call()).rejects.toMatchObject({ code: Status.UNIMPLEMENTED });
    }
  });
});

describe("limits", () => {
  const request = (bytes: number) => ({ csr: "x".repeat(bytes) });

  test("a request of 4 MiB is read, a larger one answers RESOURCE_EXHAUSTED before the handler", async () => {
    let handled = 0;
    const { channel, calls } = await pairOf(async () => {
      handled += 1;
      return { certChain: [] };
    });
    const overhead =
      toBinary(IstioCertificateRequestSchema, create(IstioCertificateRequestSchema, request(4_000_000))).length -
      4_000_000;
    const limit = 4 * 1024 * 1024 - overhead;
    await channel.unary(createCertificate, request(limit), unhurried);
    expect(await nextCode(calls)).toBe(Status.OK);
    await expect(channel.unary(createCertificate, request(limit + 1), unhurried)).rejects.toMatchObject({
      code: Status.RESOURCE_EXHAUSTED,
    });
    expect(await nextCode(calls)).toBe(Status.RESOURCE_EXHAUSTED);
    expect(handled).toBe(1);
  });

  test("maxReceiveBytes lowers the limit on either side", async () => {
    const server = await pairOf(async () => ({ certChain: [] }), { maxReceiveBytes: 100 });
    await expect(server.channel.unary(createCertificate, request(101), unhurried)).rejects.toMatchObject({
      code: Status.RESOURCE_EXHAUSTED,
    });
    const big = await pairOf(async () => ({ certChain: ["x".repeat(101)] }));
    const channel = connect({ address: `unix:${big.socketPath}`, maxReceiveBytes: 100 });
    closers.push(() => channel.close());
    await expect(channel.unary(createCertificate, {}, unhurried)).rejects.toMatchObject({
      code: Status.RESOURCE_EXHAUSTED,
    });
  });
});

describe("a request that is no valid protobuf", () => {
  /** metadata { fields { "" { struct_value { fields ... } } } } and so on, `depth` times. */
  function nested(depth: number): Uint8Array {
    let inner: Buffer = Buffer.alloc(0);
    const field = (tag: number, content: Buffer): Buffer =>
      Buffer.concat([Buffer.from([tag]), varint(content.length), content]);
    for (let level = 0; level < depth; level++) inner = field(0x0a, field(0x12, field(0x2a, inner)));
    return field(0x22, inner);
  }
  const varint = (value: number): Buffer => {
    const bytes: number[] = [];
    for (let rest = value; ; rest >>>= 7) {
      if (rest < 128) return Buffer.from([...bytes, rest]);
      bytes.push((rest & 127) | 128);
    }
  };

  test.each([
    { what: "cut short", bytes: Buffer.from([0x0a, 0x05, 0x61]) },
    { what: "of a wrong wire type", bytes: Buffer.from([0x0f]) },
    { what: "with text that is no UTF-8", bytes: Buffer.from([0x0a, 0x01, 0xff]) },
    { what: "nested 5000 deep", bytes: nested(5000) },
  ])("($what) answers INTERNAL, and the server goes on", async ({ bytes }) => {
    const pair = await pairOf(async () => ({ certChain: [] }));
    const path = "/istio.v1.auth.IstioCertificateService/CreateCertificate";
    expect(await rawUnary(pair, path, bytes)).toBe(Status.INTERNAL);
    expect(await nextCode(pair.calls)).toBe(Status.INTERNAL);
    expect(pair.errors).toEqual([]);
    expect(await rawUnary(pair, path, Buffer.alloc(0))).toBe(Status.OK);
  });
});

test("an observer that throws harms no call", async () => {
  const seen: unknown[] = [];
  const { channel } = await pairOf(async () => ({ certChain: [] }), {
    onCall: () => expect.unreachable("metrics are broken"),
    onError: ({ error }) => {
      seen.push(error);
      expect.unreachable("logs too");
    },
  });
  await channel.unary(createCertificate, {}, unhurried);
  await channel.unary(createCertificate, {}, unhurried);
  expect(seen.length).toBeGreaterThan(0);
});

test.each([
  { host: "127.0.0.1", dial: "127.0.0.1", peer: /^127\.0\.0\.1:\d+$/ },
  { host: "::1", dial: "[::1]", peer: /^\[::1\]:\d+$/ },
  { host: "", dial: "127.0.0.1", peer: /^127\.0\.0\.1:\d+$/ },
])(
  "a listener on $host port 0 tells its port, and handlers the address of their peer",
  async ({ host, dial, peer }) => {
    const listener = await serve({
      listen: { host, port: 0 },
      credentials: plaintextCredentials(),
      services: [
        bindService(IstioCertificateService, {
          createCertificate: async (_request, context) => ({
            certChain: [context.peer.address, context.peer.transport],
          }),
        }),
      ],
    });
    closers.push(() => listener.drain(0));
    const port = "port" in listener.address ? listener.address.port : 0;
    const channel = connect({ address: `${dial}:${port}` });
    closers.push(() => channel.close());
    const { certChain } = await channel.unary(createCertificate, {}, unhurried);
    expect(certChain).toEqual([expect.stringMatching(peer), "plaintext"]);
  },
);

test.each([
  { host: "port of another", code: "address-in-use" },
  { host: "192.0.2.1", code: "address-unavailable" },
  { host: "no-such-host.invalid", code: "address-unavailable" },
] as const)("listening on the $host fails with $code", async ({ host, code }) => {
  const options = { credentials: plaintextCredentials(), services: [] };
  const other = await serve({ ...options, listen: { host: "127.0.0.1", port: 0 } });
  closers.push(() => other.drain(0));
  const taken = "port" in other.address ? other.address.port : 0;
  const listen = code === "address-in-use" ? { host: "127.0.0.1", port: taken } : { host, port: 0 };
  await expect(serve({ ...options, listen })).rejects.toMatchObject({ code });
});

test("a method bound twice is refused", async () => {
  const health = bindService(Health, {});
  await expect(testPair([health, health])).rejects.toMatchObject({ code: "method-already-bound" });
});

test("onlyRequest asks for one", async () => {
  expect(await onlyRequest(from([1, 2]))).toBe(1);
  await expect(onlyRequest(from([]))).rejects.toMatchObject({ code: Status.INVALID_ARGUMENT });
});

async function* from<T>(values: readonly T[]): AsyncGenerator<T, void, undefined> {
  yield* values;
}

async function collect<T>(values: AsyncIterable<T>): Promise<readonly T[]> {
  const all: T[] = [];
  for await (const value of values) all.push(value);
  return all;
}

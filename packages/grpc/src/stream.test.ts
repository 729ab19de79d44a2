import { once } from "node:events";
import { connect as connectSocket, createServer, type Socket } from "node:net";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import type { DiscoveryRequest } from "@signet/protos/envoy/service/discovery/v3/discovery";
import { SecretDiscoveryService } from "@signet/protos/envoy/service/secret/v3/sds";
import { Health, HealthCheckResponse_ServingStatus as Serving } from "@signet/protos/grpc/health/v1/health";
import { afterEach, describe, expect, test } from "vitest";
import { createInbox } from "./inbox.ts";
import {
  bindService,
  type CallContext,
  type CallErrorEvent,
  type CallEvent,
  connect,
  onlyRequest,
  Status,
  StatusError,
  type StreamHandler,
} from "./index.ts";
import { testPair } from "./testing.ts";

const { streamSecrets } = SecretDiscoveryService.method;
const never = new AbortController().signal;
const kilobytes64 = "x".repeat(65_536);

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

type Answer = StreamHandler<DiscoveryRequest, { nonce?: string; versionInfo?: string }>;

async function pairOf(answer: Answer) {
  const calls = createInbox<CallEvent>(() => {});
  const errors: CallErrorEvent[] = [];
  const pair = await testPair(
    [
      bindService(SecretDiscoveryService, { streamSecrets: answer }),
      bindService(Health, { check: async () => ({ status: Serving.SERVING }) }),
    ],
    {
      serve: {
        onCall: (event) => event.method === "StreamSecrets" && calls.push(event),
        onError: (event) => errors.push(event),
      },
    },
  );
  closers.push(() => pair.close());
  const code = async (): Promise<Status | undefined> => (await calls.next()).value?.code;
  /** A round trip on the same connection, so everything sent before it has arrived. */
  const roundTrip = () => pair.channel.unary(Health.method.check, {}, { deadlineMs: 20_000, signal: never });
  return { ...pair, code, errors, roundTrip };
}

async function* from<T>(values: readonly T[]): AsyncGenerator<T, void, undefined> {
  yield* values;
}

async function collect<T>(values: AsyncIterable<T>): Promise<readonly T[]> {
  const all: T[] = [];
  for await (const value of values) all.push(value);
  return all;
}

/** Requests that never end by themselves. */
async function* open<T>(first: readonly T[], signal: AbortSignal): AsyncGenerator<T, void, undefined> {
  yield* first;
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

function aborted(signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(signal.reason), { once: true }));
}

test("requests and responses go back and forth", async () => {
  const { channel, code } = await pairOf(async function* (requests) {
    for await (const { responseNonce } of requests) yield { nonce: `${responseNonce}!` };
  });
  const turns = createInbox<string>(() => {});
  async function* requests() {
    yield { responseNonce: "1" };
    for await (const nonce of turns) yield { responseNonce: nonce };
  }
  const seen: string[] = [];
  for await (const { nonce } of channel.stream(streamSecrets, requests(), { signal: never })) {
    seen.push(nonce);
    if (nonce.length < 4) turns.push(nonce);
    else turns.end();
  }
  expect(seen).toEqual(["1!", "1!!", "1!!!"]);
  expect(await code()).toBe(Status.OK);
});

test("an empty stream of either kind is a stream", async () => {
  const { channel, code } = await pairOf(async function* (requests) {
    for await (const request of requests) yield { nonce: request.responseNonce };
  });
  expect(await collect(channel.stream(streamSecrets, from([]), { signal: never }))).toEqual([]);
  expect(await code()).toBe(Status.OK);
});

test("a handler that returns ends the call though the client would go on", async () => {
  const { channel, code } = await pairOf(async function* (requests) {
    yield { nonce: (await onlyRequest(requests)).responseNonce };
  });
  const left = Promise.withResolvers<void>();
  const controller = new AbortController();
  async function* requests() {
    try {
      for (;;) yield { responseNonce: "again" };
    } finally {
      left.resolve();
    }
  }
  const responses = await collect(channel.stream(streamSecrets, requests(), { signal: controller.signal }));
  expect(responses.map(({ nonce }) => nonce)).toEqual(["again"]);
  expect(await code()).toBe(Status.OK);
  await left.promise;
});

test("a server-streaming method takes one request", async () => {
  const pair = await testPair([
    bindService(Health, {
      async *watch(requests) {
        const { service } = await onlyRequest(requests);
        yield { status: service === "known" ? Serving.SERVING : Serving.SERVICE_UNKNOWN };
        yield { status: Serving.NOT_SERVING };
      },
    }),
  ]);
  closers.push(() => pair.close());
  const responses = await collect(
    pair.channel.stream(Health.method.watch, from([{ service: "known" }]), { signal: never }),
  );
  expect(responses.map(({ status }) => status)).toEqual([Serving.SERVING, Serving.NOT_SERVING]);
});

describe("a handler that fails", () => {
  const unsendable = {
    get nonce(): string {
      throw new Error("hunter2");
    },
  };

  test.each([
    { when: "at once", before: 0 },
    { when: "after responses", before: 2 },
  ])("$when ends the call with its status", async ({ before }) => {
    const { channel, code, errors } = await pairOf(async function* () {
      for (let index = 0; index < before; index++) yield { nonce: `${index}` };
      throw new StatusError(Status.FAILED_PRECONDITION, "not now", { metadata: { "retry-after": "1" } });
    });
    await expect(collect(channel.stream(streamSecrets, from([{}]), { signal: never }))).rejects.toMatchObject({
      code: Status.FAILED_PRECONDITION,
      message: "not now",
    });
    expect(await code()).toBe(Status.FAILED_PRECONDITION);
    expect(errors).toEqual([]);
  });

  test.each([
    {
      how: "while it runs",
      answer: async function* () {
        yield {};
        throw new Error("hunter2");
      },
    },
    {
      how: "before it yields a stream",
      answer: () => {
        throw new Error("hunter2");
      },
    },
    {
      how: "by a response that cannot be sent",
      answer: async function* () {
        yield unsendable;
      },
    },
  ] satisfies readonly { how: string; answer: Answer }[])(
    "$how with no StatusError shows no more than INTERNAL",
    async ({ answer }) => {
      const { channel, code, errors } = await pairOf(answer);
      await expect(collect(channel.stream(streamSecrets, from([{}]), { signal: never }))).rejects.toMatchObject({
        code: Status.INTERNAL,
        message: "internal error",
      });
      expect(await code()).toBe(Status.INTERNAL);
      expect(errors).toHaveLength(1);
    },
  );
});

describe("a client that cancels", () => {
  const handlers: readonly {
    where: string;
    answer: (context: CallContext, requests: AsyncIterable<unknown>) => AsyncGenerator<{ nonce: string }>;
  }[] = [
    {
      where: "reads requests",
      answer: async function* (_context, requests) {
        yield { nonce: "ready" };
        for await (const _ of requests);
      },
    },
    {
      where: "waits for something of its own",
      answer: async function* ({ signal }) {
        yield { nonce: "ready" };
        await aborted(signal);
      },
    },
    {
      where: "cannot send, because nobody reads",
      answer: async function* () {
        yield { nonce: "ready" };
        for (;;) yield { nonce: kilobytes64 };
      },
    },
  ];
  test.each(handlers)("aborts the signal and ends a handler that $where", async ({ answer }) => {
    const finished = Promise.withResolvers<unknown>();
    const { channel, code, errors } = await pairOf(async function* (requests, context) {
      try {
        yield* answer(context, requests);
      } finally {
        finished.resolve(context.signal.reason);
      }
    });
    const controller = new AbortController();
    const stream = channel.stream(streamSecrets, open([{}], controller.signal), { signal: controller.signal });
    const iterator = stream[Symbol.asyncIterator]();
    expect((await iterator.next()).value?.nonce).toBe("ready");
    controller.abort();
    expect(await finished.promise).toMatchObject({ code: Status.CANCELLED });
    await expect(collect({ [Symbol.asyncIterator]: () => iterator })).rejects.toMatchObject({ code: Status.CANCELLED });
    expect(await code()).toBe(Status.CANCELLED);
    expect(errors).toEqual([]);
  });

  test("by leaving its loop is seen the same way", async () => {
    const finished = Promise.withResolvers<unknown>();
    const { channel, code } = await pairOf(async function* (_requests, { signal }) {
      yield { nonce: "ready" };
      finished.resolve(await aborted(signal));
    });
    for await (const _ of channel.stream(streamSecrets, open([{}], never), { signal: never })) break;
    expect(await finished.promise).toMatchObject({ code: Status.CANCELLED });
    expect(await code()).toBe(Status.CANCELLED);
  });

  test("and a handler that goes on writing afterwards harms nobody", async () => {
    const failed = Promise.withResolvers<unknown>();
    const { channel, code, roundTrip } = await pairOf(async function* (_requests, { signal }) {
      yield { nonce: "ready" };
      await aborted(signal);
      try {
        yield { nonce: "too late" };
        failed.resolve("it was sent");
      } finally {
        failed.resolve("it was not");
      }
    });
    for await (const _ of channel.stream(streamSecrets, open([{}], never), { signal: never })) break;
    expect(await failed.promise).toBe("it was not");
    expect(await code()).toBe(Status.CANCELLED);
    await roundTrip();
  });

  test("before it begins makes no call", async () => {
    let called = false;
    const { channel } = await pairOf(async function* () {
      called = true;
      yield {};
    });
    const stream = channel.stream(streamSecrets, from([]), { signal: AbortSignal.abort() });
    await expect(collect(stream)).rejects.toMatchObject({ code: Status.CANCELLED });
    expect(called).toBe(false);
  });
});

test("a connection that breaks aborts the handler and fails the client", async () => {
  const reason = Promise.withResolvers<unknown>();
  const pair = await pairOf(async function* (_requests, { signal }) {
    yield { nonce: "ready" };
    reason.resolve(await aborted(signal));
  });
  const relay = await relayTo(pair.socketPath);
  const channel = connect({ address: relay.address });
  closers.push(() => channel.close());
  const iterator = channel.stream(streamSecrets, open([{}], never), { signal: never })[Symbol.asyncIterator]();
  await iterator.next();
  relay.breakConnections();
  await expect(iterator.next()).rejects.toMatchObject({ code: Status.UNAVAILABLE });
  expect(await reason.promise).toMatchObject({ code: Status.CANCELLED });
  expect(await pair.code()).toBe(Status.CANCELLED);
});

/** Something between client and server that can fail. */
async function relayTo(socketPath: string) {
  const sockets: Socket[] = [];
  const server = createServer((near) => {
    const far = connectSocket(socketPath);
    for (const socket of [near, far]) {
      sockets.push(socket);
      socket.on("error", () => {});
    }
    near.pipe(far).pipe(near);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  closers.push(() => server.close());
  const address = server.address();
  return {
    address: `127.0.0.1:${address === null || typeof address === "string" ? 0 : address.port}`,
    breakConnections() {
      for (const socket of sockets) socket.destroy();
    },
  };
}

test("a deadline set by the client aborts the handler, also while it cannot send", async () => {
  const reason = Promise.withResolvers<unknown>();
  const pair = await pairOf(async function* (_requests, { signal }) {
    signal.addEventListener("abort", () => reason.resolve(signal.reason));
    for (;;) yield { nonce: kilobytes64 };
  });
  const client = new Client(`unix:${pair.socketPath}`, credentials.createInsecure());
  closers.push(() => client.close());
  const same = (message: Buffer): Buffer => message;
  const path = "/envoy.service.secret.v3.SecretDiscoveryService/StreamSecrets";
  const call = client.makeBidiStreamRequest(path, same, same, new Metadata(), { deadline: Date.now() + 150 });
  call.on("error", () => {});
  expect([Status.DEADLINE_EXCEEDED, Status.CANCELLED]).toContain(((await reason.promise) as StatusError).code);
});

describe("back pressure", () => {
  /** Waits until a round trip on the connection leaves `count` as it was. */
  async function settled(count: () => number, roundTrip: () => Promise<unknown>): Promise<number> {
    for (;;) {
      const before = count();
      for (let index = 0; index < 5; index++) await roundTrip();
      if (count() === before) return before;
    }
  }

  test("stops a handler whose client does not read", async () => {
    let yielded = 0;
    const { channel, roundTrip } = await pairOf(async function* () {
      for (;;) {
        yield { nonce: kilobytes64 };
        yielded += 1;
      }
    });
    const iterator = channel.stream(streamSecrets, open([{}], never), { signal: never })[Symbol.asyncIterator]();
    for (let index = 0; index < 5; index++) await iterator.next();
    const after5 = await settled(() => yielded, roundTrip);
    expect(after5).toBeLessThan(40);
    for (let index = 0; index < 5; index++) await iterator.next();
    expect(await settled(() => yielded, roundTrip)).toBeGreaterThan(after5);
    await iterator.return?.();
  });

  test("stops a client whose handler does not read", async () => {
    let given = 0;
    const { channel, roundTrip } = await pairOf(async function* (requests, { signal }) {
      let read = 0;
      for await (const _ of requests) {
        read += 1;
        if (read === 5) break;
      }
      yield { nonce: "read 5" };
      await aborted(signal);
    });
    async function* requests() {
      for (;;) {
        yield { responseNonce: kilobytes64 };
        given += 1;
      }
    }
    const iterator = channel.stream(streamSecrets, requests(), { signal: never })[Symbol.asyncIterator]();
    expect((await iterator.next()).value?.nonce).toBe("read 5");
    // Windows of HTTP/2 and buffers of the socket take some, and then no more.
    expect(await settled(() => given, roundTrip)).toBeLessThan(40);
    await iterator.return?.();
  });
});

describe("on the client", () => {
  test("requests that throw cancel the call", async () => {
    const { channel, code } = await pairOf(async function* (requests) {
      for await (const request of requests) yield { nonce: request.responseNonce };
    });
    const answered = Promise.withResolvers<void>();
    async function* requests() {
      yield { responseNonce: "1" };
      await answered.promise;
      throw new Error("the disk is full");
    }
    const iterator = channel.stream(streamSecrets, requests(), { signal: never })[Symbol.asyncIterator]();
    expect((await iterator.next()).value?.nonce).toBe("1");
    answered.resolve();
    await expect(iterator.next()).rejects.toMatchObject({
      code: Status.CANCELLED,
      cause: new Error("the disk is full"),
    });
    expect(await code()).toBe(Status.CANCELLED);
  });

  test("a request that is no such message cancels the call", async () => {
    const { channel } = await pairOf(async function* (requests) {
      for await (const request of requests) yield { nonce: request.responseNonce };
    });
    const stream = channel.stream(
      streamSecrets,
      from([
        {
          get responseNonce(): string {
            throw new Error("hunter2");
          },
        },
      ]),
      { signal: never },
    );
    await expect(collect(stream)).rejects.toMatchObject({ code: Status.CANCELLED });
  });
});

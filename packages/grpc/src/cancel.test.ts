import { once } from "node:events";
import { connect as connectSocket, createServer, type Socket } from "node:net";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { SecretDiscoveryService } from "@signet/protos/envoy/service/secret/v3/sds";
import { afterEach, describe, expect, test } from "vitest";
import { type CallContext, connect, Status, type StatusError } from "./index.ts";
import { createClosers } from "./testing/closers.ts";
import { type StreamAnswer, type StreamPair, streamPair } from "./testing/stream-pair.ts";
import { aborted, collect, from, never, open } from "./testing/streams.ts";

const { streamSecrets } = SecretDiscoveryService.method;
const kilobytes64 = "x".repeat(65_536);
const closers = createClosers();
afterEach(() => closers.closeAll());

async function pairOf(answer: StreamAnswer): Promise<StreamPair> {
  const pair = await streamPair(answer);
  closers.add(() => pair.close());
  return pair;
}

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
  closers.add(() => channel.close());
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
  closers.add(() => server.close());
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
  closers.add(() => client.close());
  const same = (message: Buffer): Buffer => message;
  const path = "/envoy.service.secret.v3.SecretDiscoveryService/StreamSecrets";
  const call = client.makeBidiStreamRequest(path, same, same, new Metadata(), { deadline: Date.now() + 150 });
  call.on("error", () => {});
  expect([Status.DEADLINE_EXCEEDED, Status.CANCELLED]).toContain(((await reason.promise) as StatusError).code);
});

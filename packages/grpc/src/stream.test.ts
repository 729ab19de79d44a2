import { SecretDiscoveryService } from "@signet/protos/envoy/service/secret/v3/sds";
import { Health, HealthCheckResponse_ServingStatus as Serving } from "@signet/protos/grpc/health/v1/health";
import { afterEach, describe, expect, test } from "vitest";
import { createInbox } from "./inbox.ts";
import { bindService, onlyRequest, Status, StatusError } from "./index.ts";
import { createClosers } from "./testing/closers.ts";
import { type StreamAnswer, type StreamPair, streamPair } from "./testing/stream-pair.ts";
import { collect, from, never } from "./testing/streams.ts";
import { testPair } from "./testing.ts";

const { streamSecrets } = SecretDiscoveryService.method;
const closers = createClosers();
afterEach(() => closers.closeAll());

async function pairOf(answer: StreamAnswer): Promise<StreamPair> {
  const pair = await streamPair(answer);
  closers.add(() => pair.close());
  return pair;
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
  closers.add(() => pair.close());
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
  ] satisfies readonly { how: string; answer: StreamAnswer }[])(
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
    await expect(collect(stream)).rejects.toMatchObject({ code: Status.INTERNAL });
  });
});

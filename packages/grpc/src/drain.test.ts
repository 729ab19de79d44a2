import { once } from "node:events";
import { connect as tcpConnect } from "node:net";
import { SecretDiscoveryService } from "@signet/protos/envoy/service/secret/v3/sds";
import { IstioCertificateService } from "@signet/protos/istio/security/v1alpha1/ca";
import { afterEach, describe, expect, test } from "vitest";
import { createInbox } from "./inbox.ts";
import {
  bindService,
  type CallEvent,
  connect,
  plaintextCredentials,
  Status,
  type StreamHandler,
  serve,
  type UnaryHandler,
} from "./index.ts";
import { testPair } from "./testing.ts";

const { createCertificate } = IstioCertificateService.method;
const { streamSecrets } = SecretDiscoveryService.method;
const never = new AbortController().signal;
const unhurried = { deadlineMs: 20_000, signal: never };
const longGraceMs = 20_000;

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function pairOf(handlers: {
  readonly unary?: UnaryHandler<unknown, { certChain: string[] }>;
  readonly stream?: StreamHandler<unknown, { nonce: string }>;
}) {
  const calls = createInbox<CallEvent>(() => {});
  const pair = await testPair(
    [
      bindService(IstioCertificateService, handlers.unary === undefined ? {} : { createCertificate: handlers.unary }),
      bindService(SecretDiscoveryService, handlers.stream === undefined ? {} : { streamSecrets: handlers.stream }),
    ],
    { serve: { onCall: (event) => calls.push(event) } },
  );
  closers.push(() => pair.close());
  return { ...pair, code: async () => (await calls.next()).value?.code };
}

async function* open(): AsyncGenerator<{ responseNonce: string }> {
  yield { responseNonce: "1" };
  await new Promise(() => {});
}

describe("draining", () => {
  test("lets a unary call finish, and does not abort its signal", async () => {
    const started = Promise.withResolvers<AbortSignal>();
    const finish = Promise.withResolvers<void>();
    const { channel, listener } = await pairOf({
      unary: async (_request, { signal }) => {
        started.resolve(signal);
        await finish.promise;
        return { certChain: [`aborted: ${signal.aborted}`] };
      },
    });
    const call = channel.unary(createCertificate, {}, unhurried);
    await started.promise;
    const drained = listener.drain(longGraceMs);
    finish.resolve();
    expect((await call).certChain).toEqual(["aborted: false"]);
    await drained;
  });

  test("refuses connections and calls from its first moment", async () => {
    const started = Promise.withResolvers<void>();
    const finish = Promise.withResolvers<void>();
    const { channel, listener, socketPath } = await pairOf({
      unary: async () => {
        started.resolve();
        await finish.promise;
        return { certChain: [] };
      },
    });
    const call = channel.unary(createCertificate, {}, unhurried);
    await started.promise;
    const drained = listener.drain(longGraceMs);
    await expect(channel.unary(createCertificate, {}, unhurried)).rejects.toMatchObject({ code: Status.UNAVAILABLE });
    const fresh = connect({ address: `unix:${socketPath}` });
    closers.push(() => fresh.close());
    await expect(fresh.unary(createCertificate, {}, unhurried)).rejects.toMatchObject({ code: Status.UNAVAILABLE });
    finish.resolve();
    await call;
    await drained;
  });

  test("aborts the signal of streams, which may still say goodbye", async () => {
    const { channel, listener, code } = await pairOf({
      stream: async function* (_requests, { signal }) {
        yield { nonce: "hello" };
        await once(signal, "abort");
        expect(signal.reason).toMatchObject({ code: Status.UNAVAILABLE });
        yield { nonce: "goodbye" };
      },
    });
    const seen: string[] = [];
    let drained: Promise<void> | undefined;
    for await (const { nonce } of channel.stream(streamSecrets, open(), { signal: never })) {
      seen.push(nonce);
      drained ??= listener.drain(longGraceMs);
    }
    expect(seen).toEqual(["hello", "goodbye"]);
    await drained;
    expect(await code()).toBe(Status.OK);
  });

  test("ends a stream that waits for requests with UNAVAILABLE", async () => {
    const { channel, listener, code } = await pairOf({
      stream: async function* (requests) {
        for await (const _ of requests) yield { nonce: "hello" };
      },
    });
    const iterator = channel.stream(streamSecrets, open(), { signal: never })[Symbol.asyncIterator]();
    await iterator.next();
    const drained = listener.drain(longGraceMs);
    await expect(iterator.next()).rejects.toMatchObject({
      code: Status.UNAVAILABLE,
      message: "the server is shutting down",
    });
    await drained;
    expect(await code()).toBe(Status.UNAVAILABLE);
  });

  test("cuts what does not end within the grace, and aborts its signal", async () => {
    const started = Promise.withResolvers<AbortSignal>();
    const { channel, listener, code } = await pairOf({
      unary: (_request, { signal }) => {
        started.resolve(signal);
        return new Promise(() => {});
      },
    });
    const call = channel.unary(createCertificate, {}, unhurried);
    call.catch(() => {});
    const signal = await started.promise;
    await listener.drain(10);
    expect(signal.reason).toMatchObject({ code: Status.UNAVAILABLE });
    await expect(call).rejects.toMatchObject({ code: Status.UNAVAILABLE, message: "the server is shutting down" });
    expect(await code()).toBe(Status.UNAVAILABLE);
  });

  test("more than once is one draining", async () => {
    const { channel, listener } = await pairOf({ unary: async () => ({ certChain: [] }) });
    await channel.unary(createCertificate, {}, unhurried);
    const first = listener.drain(longGraceMs);
    expect(listener.drain(0)).toBe(first);
    await first;
    await listener.drain(0);
  });

  test("does not wait for connections without calls", async () => {
    const listener = await serve({
      listen: { host: "127.0.0.1", port: 0 },
      credentials: plaintextCredentials(),
      services: [],
    });
    const port = "port" in listener.address ? listener.address.port : 0;
    // One that has not said a word, not even HTTP/2's preface.
    const silent = tcpConnect(port, "127.0.0.1");
    await once(silent.resume(), "connect");
    await listener.drain(longGraceMs);
  });
});

test("a connection that has reached its age is replaced without a failure", async () => {
  const { channel, peers } = await aging({ maxMs: 20, graceMs: longGraceMs });
  // Peers on TCP have a port for each connection.
  while (new Set(peers).size < 3) await channel.unary(createCertificate, {}, unhurried);
});

test("a call that outlives the grace of an old connection is cut", async () => {
  const { channel } = await aging({ maxMs: 10, graceMs: 10 });
  const iterator = channel.stream(streamSecrets, open(), { signal: never })[Symbol.asyncIterator]();
  await iterator.next();
  await expect(iterator.next()).rejects.toMatchObject({ code: Status.UNAVAILABLE });
});

async function aging(connectionAge: { readonly maxMs: number; readonly graceMs: number }) {
  const peers: string[] = [];
  const listener = await serve({
    listen: { host: "127.0.0.1", port: 0 },
    credentials: plaintextCredentials(),
    connectionAge,
    services: [
      bindService(IstioCertificateService, {
        async createCertificate(_request, { peer }) {
          peers.push(peer.address);
          return {};
        },
      }),
      bindService(SecretDiscoveryService, {
        async *streamSecrets(_requests, { signal }) {
          yield {};
          await once(signal, "abort");
        },
      }),
    ],
  });
  closers.push(() => listener.drain(0));
  const channel = connect({ address: `127.0.0.1:${"port" in listener.address ? listener.address.port : 0}` });
  closers.push(() => channel.close());
  return { channel, peers };
}

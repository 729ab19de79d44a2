import { SecretDiscoveryService } from "@signet/protos/envoy/service/secret/v3/sds";
import { afterEach, describe, expect, test } from "vitest";
import { createClosers } from "./testing/closers.ts";
import { type StreamAnswer, type StreamPair, streamPair } from "./testing/stream-pair.ts";
import { aborted, never, open } from "./testing/streams.ts";

const { streamSecrets } = SecretDiscoveryService.method;
const kilobytes64 = "x".repeat(65_536);
// Many times what windows and buffers take, and no more than that: without back pressure the test fails and memory lasts.
const enough = 1_000;
const closers = createClosers();
afterEach(() => closers.closeAll());

async function pairOf(answer: StreamAnswer): Promise<StreamPair> {
  const pair = await streamPair(answer);
  closers.add(() => pair.close());
  return pair;
}

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
      while (yielded < enough) {
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
      while (given < enough) {
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

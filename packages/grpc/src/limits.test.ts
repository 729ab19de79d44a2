import { create, toBinary } from "@bufbuild/protobuf";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { IstioCertificateRequestSchema, IstioCertificateService } from "@signet/protos/istio/security/v1alpha1/ca";
import { afterEach, describe, expect, test } from "vitest";
import { connect, type ServeOptions, Status } from "./index.ts";
import { createClosers } from "./testing/closers.ts";
import { unhurried } from "./testing/streams.ts";
import { type UnaryAnswer, type UnaryPair, unaryPair } from "./testing/unary-pair.ts";
import type { TestPair } from "./testing.ts";

const { createCertificate } = IstioCertificateService.method;
const closers = createClosers();
afterEach(() => closers.closeAll());

async function pairOf(answer: UnaryAnswer, options: Partial<ServeOptions> = {}): Promise<UnaryPair> {
  const pair = await unaryPair(answer, options);
  closers.add(() => pair.close());
  return pair;
}

describe("limits", () => {
  const request = (bytes: number) => ({ csr: "x".repeat(bytes) });

  test("a request of 4 MiB is read, a larger one answers RESOURCE_EXHAUSTED before the handler", async () => {
    let handled = 0;
    const { channel, code } = await pairOf(async () => {
      handled += 1;
      return { certChain: [] };
    });
    const overhead =
      toBinary(IstioCertificateRequestSchema, create(IstioCertificateRequestSchema, request(4_000_000))).length -
      4_000_000;
    const limit = 4 * 1024 * 1024 - overhead;
    await channel.unary(createCertificate, request(limit), unhurried);
    expect(await code()).toBe(Status.OK);
    await expect(channel.unary(createCertificate, request(limit + 1), unhurried)).rejects.toMatchObject({
      code: Status.RESOURCE_EXHAUSTED,
    });
    expect(await code()).toBe(Status.RESOURCE_EXHAUSTED);
    expect(handled).toBe(1);
  });

  test("maxReceiveBytes lowers the limit on either side", async () => {
    const server = await pairOf(async () => ({ certChain: [] }), { maxReceiveBytes: 100 });
    await expect(server.channel.unary(createCertificate, request(101), unhurried)).rejects.toMatchObject({
      code: Status.RESOURCE_EXHAUSTED,
    });
    const big = await pairOf(async () => ({ certChain: ["x".repeat(101)] }));
    const channel = connect({ address: `unix:${big.socketPath}`, maxReceiveBytes: 100 });
    closers.add(() => channel.close());
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
    expect(await pair.code()).toBe(Status.INTERNAL);
    expect(pair.errors).toEqual([]);
    expect(await rawUnary(pair, path, Buffer.alloc(0))).toBe(Status.OK);
  });
});

/** A client of grpc-js itself, which sends the bytes it is given. */
function rawUnary(pair: TestPair, path: string, bytes: Uint8Array): Promise<Status> {
  const client = new Client(`unix:${pair.socketPath}`, credentials.createInsecure());
  closers.add(() => client.close());
  const same = (message: Buffer): Buffer => message;
  return new Promise((resolve) => {
    client.makeUnaryRequest(path, same, same, Buffer.from(bytes), new Metadata(), (error) =>
      resolve((error?.code ?? Status.OK) as Status),
    );
  });
}

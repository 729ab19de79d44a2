import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { gzipSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { DiscoveryRequestSchema } from "@signet/protos/envoy/service/discovery/v3/discovery";
import { SecretDiscoveryService } from "@signet/protos/envoy/service/secret/v3/sds";
import { IstioCertificateService } from "@signet/protos/istio/security/v1alpha1/ca";
import { afterEach, describe, expect, test } from "vitest";
import { parseTimeoutMs } from "./grpc-timeout.ts";
import { bindService, plaintextCredentials, Status, StatusError, serve, type UnaryHandler } from "./index.ts";
import { frameMessage } from "./message-decoder.ts";
import { createClosers } from "./testing/closers.ts";

const unaryPath = "/istio.v1.auth.IstioCertificateService/CreateCertificate";
const streamPath = "/envoy.service.secret.v3.SecretDiscoveryService/StreamSecrets";
const closers = createClosers();
afterEach(() => closers.closeAll());

async function start(createCertificate: UnaryHandler<unknown, object> = async () => ({})) {
  const seen: string[] = [];
  const listener = await serve({
    listen: { host: "127.0.0.1", port: 0 },
    credentials: plaintextCredentials(),
    services: [
      bindService(IstioCertificateService, { createCertificate }),
      bindService(SecretDiscoveryService, {
        async *streamSecrets(requests) {
          for await (const { versionInfo } of requests) {
            seen.push(versionInfo);
            yield { nonce: versionInfo };
          }
        },
      }),
    ],
  });
  closers.add(() => listener.drain(0));
  const session = connect(`http://127.0.0.1:${"port" in listener.address ? listener.address.port : 0}`);
  session.on("error", () => {});
  closers.add(() => session.destroy());
  return { session, seen };
}

function request(session: ClientHttp2Session, headers: Readonly<Record<string, string>>): ClientHttp2Stream {
  const stream = session.request({ ":method": "POST", "content-type": "application/grpc", te: "trailers", ...headers });
  stream.on("error", () => {});
  return stream.resume();
}

async function trailers(stream: ClientHttp2Stream): Promise<Readonly<Record<string, unknown>>> {
  let received: object = {};
  stream.on("response", (headers) => {
    received = { ...headers, ...received };
  });
  stream.on("trailers", (headers) => {
    received = { ...received, ...headers };
  });
  await once(stream, "close");
  return { ...received };
}

describe("a call on the wire", () => {
  test("gives the messages of a stream in their order, whichever are compressed", async () => {
    const { session, seen } = await start();
    const stream = request(session, { ":path": streamPath, "grpc-encoding": "gzip" });
    const expected = Array.from({ length: 12 }, (_, index) => `${index}`);
    const frames = expected.map((versionInfo, index) => {
      const message = toBinary(DiscoveryRequestSchema, create(DiscoveryRequestSchema, { versionInfo }));
      if (index % 3 !== 0) return frameMessage(message);
      const frame = frameMessage(gzipSync(message));
      frame[0] = 1;
      return frame;
    });
    stream.end(Buffer.concat(frames));
    expect(await trailers(stream)).toMatchObject({ "grpc-status": "0" });
    expect(seen).toEqual(expected);
  });

  test.each([
    { what: "says it is compressed where the call names no compression", flag: 1 },
    { what: "says neither yes nor no to compression", flag: 2 },
    { what: "has all bits of its first octet set", flag: 255 },
  ])("ends with INTERNAL when a message $what", async ({ flag }) => {
    const { session } = await start();
    for (const path of [unaryPath, streamPath]) {
      const stream = request(session, { ":path": path });
      stream.end(Buffer.of(flag, 0, 0, 0, 0));
      expect(await trailers(stream)).toMatchObject({ "grpc-status": String(Status.INTERNAL) });
    }
  });

  test.each([
    { what: "amid the prefix of a message", rest: Buffer.of(0, 0) },
    { what: "amid a message", rest: Buffer.of(0, 0, 0, 0, 9, 1) },
  ])("ends with INTERNAL when the client ends it $what, though there is a whole one before", async ({ rest }) => {
    const { session, seen } = await start(async () => expect.unreachable("a request with something behind it"));
    for (const path of [unaryPath, streamPath]) {
      const stream = request(session, { ":path": path });
      stream.end(Buffer.concat([frameMessage(Buffer.alloc(0)), rest]));
      expect(await trailers(stream)).toMatchObject({
        "grpc-status": String(Status.INTERNAL),
        "grpc-message": encodeURI("the client ended the call amid a message"),
      });
    }
    expect(seen).toEqual([""]);
  });

  test("takes a message that comes octet by octet, each in a frame of its own", async () => {
    const { session, seen } = await start();
    const stream = request(session, { ":path": streamPath });
    const message = toBinary(DiscoveryRequestSchema, create(DiscoveryRequestSchema, { versionInfo: "slow" }));
    for (const octet of frameMessage(message)) await new Promise((resolve) => stream.write(Buffer.of(octet), resolve));
    stream.end();
    expect(await trailers(stream)).toMatchObject({ "grpc-status": "0" });
    expect(seen).toEqual(["slow"]);
  });

  test("has the status that was decided, whatever names its metadata has", async () => {
    const { session } = await start(async () => {
      throw new StatusError(Status.NOT_FOUND, "no such thing", { metadata: { "grpc-status": "0", "x-reason": "why" } });
    });
    const stream = request(session, { ":path": unaryPath });
    stream.end(frameMessage(Buffer.alloc(0)));
    expect(await trailers(stream)).toMatchObject({ "grpc-status": String(Status.NOT_FOUND), "x-reason": "why" });
  });

  test("has no deadline in this life when its timeout is thousands of years", async () => {
    const { session } = await start();
    const stream = request(session, { ":path": unaryPath, "grpc-timeout": "99999999H" });
    stream.end(frameMessage(Buffer.alloc(0)));
    expect(await trailers(stream)).toMatchObject({ "grpc-status": "0" });
  });
});

test.each([
  ["1H", 3_600_000],
  ["2M", 120_000],
  ["15S", 15_000],
  ["100m", 100],
  ["1500u", 1.5],
  ["1000000n", 1],
  ["00000001S", 1_000],
  ["123456789S", Number.NaN],
  ["1", Number.NaN],
  ["S", Number.NaN],
  ["-1S", Number.NaN],
  ["1.5S", Number.NaN],
  ["1s", Number.NaN],
  ["1S, 2S", Number.NaN],
  ["", Number.NaN],
])("a timeout of %j is %d ms", (header, ms) => {
  expect(Number(parseTimeoutMs(header).toFixed(6))).toBe(ms);
});

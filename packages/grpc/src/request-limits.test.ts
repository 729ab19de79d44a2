import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { create, toBinary } from "@bufbuild/protobuf";
import { SecretDiscoveryService } from "@signet/protos/envoy/service/secret/v3/sds";
import { IstioCertificateRequestSchema, IstioCertificateService } from "@signet/protos/istio/security/v1alpha1/ca";
import { afterEach, describe, expect, test } from "vitest";
import { createInbox } from "./inbox.ts";
import { bindService, type CallEvent, plaintextCredentials, Status, serve } from "./index.ts";

const unaryPath = "/istio.v1.auth.IstioCertificateService/CreateCertificate";
const streamPath = "/envoy.service.secret.v3.SecretDiscoveryService/StreamSecrets";
const kilobytes32 = 32_768;
/** For four requests of that size with their headers. */
const room = 4 * kilobytes32 + 4_096;

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function start(limits: { readonly requestTimeoutMs?: number; readonly maxUnfinishedBytes?: number }) {
  const calls = createInbox<CallEvent>(() => {});
  const listener = await serve({
    listen: { host: "127.0.0.1", port: 0 },
    credentials: plaintextCredentials(),
    onCall: (event) => calls.push(event),
    services: [
      bindService(IstioCertificateService, { createCertificate: async ({ csr }) => ({ certChain: [csr] }) }),
      bindService(SecretDiscoveryService, {
        async *streamSecrets(requests) {
          for await (const { versionInfo } of requests) yield { nonce: String(versionInfo.length) };
        },
      }),
    ],
    ...limits,
  });
  closers.push(() => listener.drain(0));
  const session = connect(`http://127.0.0.1:${"port" in listener.address ? listener.address.port : 0}`);
  session.on("error", () => {});
  closers.push(() => session.destroy());
  return { session, code: async () => (await calls.next()).value?.code };
}

function request(session: ClientHttp2Session, path = unaryPath): ClientHttp2Stream {
  const headers = { ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers" };
  const stream = session.request(headers);
  stream.on("error", () => {});
  stream.resume();
  return stream;
}

function framed(csrBytes: number): Buffer {
  const message = toBinary(
    IstioCertificateRequestSchema,
    create(IstioCertificateRequestSchema, { csr: "x".repeat(csrBytes) }),
  );
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** Answers how a call of `csrBytes` ends whose request is complete. */
async function whole(session: ClientHttp2Session, csrBytes: number): Promise<number> {
  const stream = request(session);
  stream.end(framed(csrBytes));
  return await statusOf(stream);
}

async function statusOf(stream: ClientHttp2Stream): Promise<number> {
  // A call that is refused is answered by headers that are its trailers too.
  const [headers] = await once(stream, "response");
  if (headers["grpc-status"] !== undefined) return Number(headers["grpc-status"]);
  const [trailers] = await once(stream, "trailers");
  return Number(trailers["grpc-status"]);
}

describe("a unary request that does not get complete", () => {
  test.each([
    { what: "nothing of it has come", body: Buffer.alloc(0) },
    { what: "half of it has come", body: framed(100).subarray(0, 50) },
    { what: "all of it has come but its end", body: framed(100) },
  ])("is refused in time when $what, and its stream is closed", async ({ body }) => {
    const { session, code } = await start({ requestTimeoutMs: 100 });
    const stream = request(session);
    if (body.length > 0) stream.write(body);
    expect(await statusOf(stream)).toBe(Status.DEADLINE_EXCEEDED);
    expect(await code()).toBe(Status.DEADLINE_EXCEEDED);
    if (!stream.closed) await once(stream, "close");
    expect(await whole(session, 10)).toBe(Status.OK);
  });
});

describe("unfinished requests that fill the server", () => {
  test("keep out large requests and not small ones, until they are gone", async () => {
    const { session, code } = await start({ maxUnfinishedBytes: room });
    const holders = Array.from({ length: 4 }, () => request(session));
    for (const holder of holders) holder.write(framed(kilobytes32).subarray(0, kilobytes32 - 100));
    // A round trip later all of that has arrived.
    expect(await whole(session, 10)).toBe(Status.OK);
    expect(await code()).toBe(Status.OK);
    expect(await whole(session, kilobytes32)).toBe(Status.RESOURCE_EXHAUSTED);
    expect(await code()).toBe(Status.RESOURCE_EXHAUSTED);
    expect(await whole(session, 1_000)).toBe(Status.OK);
    expect(await code()).toBe(Status.OK);
    for (const holder of holders) {
      holder.close(8);
      expect(await code()).toBe(Status.CANCELLED);
    }
    expect(await whole(session, kilobytes32)).toBe(Status.OK);
  });

  test("do not include what a call has finished with", async () => {
    const { session } = await start({ maxUnfinishedBytes: room });
    for (let turn = 0; turn < 10; turn++) expect(await whole(session, kilobytes32)).toBe(Status.OK);
  });

  test("do not include messages of a stream that were handed on", async () => {
    const { session } = await start({ maxUnfinishedBytes: room });
    const stream = request(session, streamPath);
    const answers = createInbox<Buffer>(() => {});
    stream.on("data", (chunk: Buffer) => answers.push(chunk));
    for (let turn = 0; turn < 10; turn++) {
      // Field 1 of both messages is a text: version_info here, csr there.
      stream.write(framed(kilobytes32));
      expect((await answers.next()).done).toBe(false);
    }
    stream.close();
  });
});

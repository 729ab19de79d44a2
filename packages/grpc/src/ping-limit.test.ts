import { EventEmitter, once } from "node:events";
import { type ClientHttp2Session, connect, type Http2Server } from "node:http2";
import { create, toBinary } from "@bufbuild/protobuf";
import { IstioCertificateRequestSchema, IstioCertificateService } from "@signet/protos/istio/security/v1alpha1/ca";
import { afterEach, describe, expect, test } from "vitest";
import { bindService, plaintextCredentials, type ServeOptions, serve } from "./index.ts";
import { createPingLimit } from "./ping-limit.ts";
import { createClosers } from "./testing/closers.ts";

const closers = createClosers();
afterEach(() => closers.closeAll());

type Farewell = { readonly code: number; readonly text: string };

async function start(keepalive?: ServeOptions["keepalive"]) {
  const listener = await serve({
    listen: { host: "127.0.0.1", port: 0 },
    credentials: plaintextCredentials(),
    ...(keepalive && { keepalive }),
    services: [bindService(IstioCertificateService, { createCertificate: async () => ({ certChain: [] }) })],
  });
  closers.add(() => listener.drain(0));
  const session = connect(`http://127.0.0.1:${"port" in listener.address ? listener.address.port : 0}`);
  session.on("error", () => {});
  closers.add(() => session.destroy());
  await once(session, "remoteSettings");
  const farewell = new Promise<Farewell>((resolve) => {
    session.once("goaway", (code, _last, data) => resolve({ code, text: data?.toString() ?? "" }));
  });
  return { session, farewell };
}

/** Pings and waits for the answer; false when the connection is gone. */
async function ping(session: ClientHttp2Session): Promise<boolean> {
  if (session.closed || session.destroyed) return false;
  return await new Promise<boolean>((resolve) => session.ping((error) => resolve(error === null)));
}

function call(session: ClientHttp2Session) {
  const stream = session.request({
    ":method": "POST",
    ":path": "/istio.v1.auth.IstioCertificateService/CreateCertificate",
    "content-type": "application/grpc",
    te: "trailers",
  });
  stream.on("error", () => {});
  const message = toBinary(IstioCertificateRequestSchema, create(IstioCertificateRequestSchema, { csr: "a CSR" }));
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  stream.end(Buffer.concat([head, message]));
  return stream;
}

describe("a client that pings too often", () => {
  test("is sent away with too_many_pings after the third early ping, and its connection ends", async () => {
    const { session, farewell } = await start();
    // The first is not early: there was none before.
    for (let turn = 0; turn < 3; turn++) expect(await ping(session)).toBe(true);
    const closed = new Promise((resolve) => session.once("close", resolve));
    void ping(session);
    // ENHANCE_YOUR_CALM
    expect(await farewell).toEqual({ code: 11, text: "too_many_pings" });
    await closed;
  });

  test("is not sent away where the interval is zero", async () => {
    const { session } = await start({ minClientIntervalMs: 0 });
    for (let turn = 0; turn < 20; turn++) expect(await ping(session)).toBe(true);
  });

  test("is not sent away where it keeps to the interval", async () => {
    const { session } = await start({ minClientIntervalMs: Number.MIN_VALUE });
    for (let turn = 0; turn < 20; turn++) expect(await ping(session)).toBe(true);
  });

  test("is forgiven the pings that follow an answer", async () => {
    const { session } = await start();
    for (let turn = 0; turn < 20; turn++) {
      const stream = call(session);
      await once(stream.resume(), "close");
      expect(await ping(session)).toBe(true);
      expect(await ping(session)).toBe(true);
    }
  });

  test("is forgiven the pings that measure a long answer on its way", () => {
    const server = new EventEmitter();
    const session = Object.assign(new EventEmitter(), {
      socket: { bytesWritten: 0 },
      goaway: () => expect.unreachable("sent away"),
    });
    createPingLimit(60_000).watch(server as Http2Server);
    server.emit("session", session);
    for (let turn = 0; turn < 20; turn++) {
      session.emit("ping");
      session.emit("ping");
      session.socket.bytesWritten += 16_384;
    }
    session.emit("ping");
    session.emit("ping");
    session.socket.bytesWritten += 34;
    expect(() => session.emit("ping")).not.toThrow();
    expect(() => session.emit("ping")).toThrow("sent away");
  });
});

import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { create, toBinary } from "@bufbuild/protobuf";
import { IstioCertificateRequestSchema, IstioCertificateService } from "@signet/protos/istio/security/v1alpha1/ca";
import { afterEach, describe, expect, test } from "vitest";
import { createInbox } from "./inbox.ts";
import {
  bindService,
  type CallEvent,
  connect as connectChannel,
  plaintextCredentials,
  type ReadonlyMetadata,
  type ServeOptions,
  Status,
  serve,
} from "./index.ts";
import { createClosers } from "./testing/closers.ts";
import { unhurried } from "./testing/streams.ts";

const path = "/istio.v1.auth.IstioCertificateService/CreateCertificate";
/** For a client that repeats what HTTP allows once, as any hostile one may; Node's types do not know it. */
const careless: object = { strictSingleValueFields: false };
const closers = createClosers();
afterEach(() => closers.closeAll());

async function start(options: Partial<ServeOptions> = {}) {
  const seen: ReadonlyMetadata[] = [];
  const calls = createInbox<CallEvent>(() => {});
  const listener = await serve({
    listen: { host: "127.0.0.1", port: 0 },
    credentials: plaintextCredentials(),
    onCall: (event) => calls.push(event),
    ...options,
    services: [
      bindService(IstioCertificateService, {
        async createCertificate(_request, { metadata }) {
          seen.push(metadata);
          return {};
        },
      }),
    ],
  });
  closers.add(() => listener.drain(0));
  const port = "port" in listener.address ? listener.address.port : 0;
  const session = connect(`http://127.0.0.1:${port}`, careless);
  session.on("error", () => {});
  closers.add(() => session.destroy());
  return { session, seen, port, code: async () => (await calls.next()).value?.code };
}

function request(session: ClientHttp2Session, headers: readonly string[] = []): ClientHttp2Stream {
  const fixed = [":method", "POST", ":path", path, "content-type", "application/grpc", "te", "trailers"];
  const stream = session.request([...fixed, ...headers]);
  stream.on("error", () => {});
  const message = toBinary(IstioCertificateRequestSchema, create(IstioCertificateRequestSchema, { csr: "a CSR" }));
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  stream.end(Buffer.concat([head, message]));
  return stream.resume();
}

describe("a header", () => {
  test.each([
    { header: "authorization", sent: ["Bearer a", "Basic b", "Bearer c"], seen: ["Bearer a", "Basic b", "Bearer c"] },
    { header: "clusterid", sent: ["east", "west"], seen: ["east", "west"] },
    { header: "x-forwarded-client-cert", sent: ["URI=a,URI=b", "URI=c"], seen: ["URI=a,URI=b", "URI=c"] },
    { header: "user-agent", sent: ["", "b"], seen: ["", "b"] },
    { header: "x-bin", sent: ["AQ,Ag", "Aw=="], seen: ["AQ==", "Ag==", "Aw=="] },
    { header: "content-type", sent: [], seen: [] },
    { header: "te", sent: [], seen: [] },
    { header: ":path", sent: [], seen: [] },
    { header: "grpc-timeout", sent: ["10S"], seen: [] },
  ])("$header that is sent as $sent reaches handlers as $seen", async ({ header, sent, seen }) => {
    const setup = await start();
    const stream = request(
      setup.session,
      sent.flatMap((value) => [header, value, "x-between", "-"]),
    );
    await once(stream, "close");
    expect(setup.seen[0]?.get(header)).toEqual(seen);
    expect(setup.seen[0]?.get(header.toUpperCase())).toEqual(seen);
  });
});

describe("headers over the limit", () => {
  const big = ["x-big", "x".repeat(40_000)];

  test("end their call with RESOURCE_EXHAUSTED while the client cannot know of the limit", async () => {
    const { session, seen, code } = await start();
    // Sent with the first bytes of the connection, before the server's settings can have come.
    const [headers] = await once(request(session, big), "response");
    expect(headers["grpc-status"]).toBe(String(Status.RESOURCE_EXHAUSTED));
    expect(await code()).toBe(Status.RESOURCE_EXHAUSTED);
    await once(request(session), "close");
    expect(seen).toHaveLength(1);
  });

  test("are told to the client, and end their stream and not the connection when it sends them all the same", async () => {
    const { session, seen } = await start();
    const [settings] = await once(session, "remoteSettings");
    expect(settings.maxHeaderListSize).toBe(32_768);
    const stream = request(session, big);
    await new Promise((resolve) => stream.once("close", resolve));
    // ENHANCE_YOUR_CALM, for which the gRPC specification has clients report RESOURCE_EXHAUSTED.
    expect(stream.rstCode).toBe(11);
    await once(request(session), "close");
    expect(seen).toHaveLength(1);
    expect(session.closed).toBe(false);
  });

  test.each([
    { what: "one header", metadata: { "x-big": "x".repeat(40_000) } },
    { what: "many headers", metadata: { "x-big": Array.from({ length: 700 }, () => "x") } },
  ])("of $what are RESOURCE_EXHAUSTED for a gRPC client at any time", async ({ metadata }) => {
    const { port } = await start();
    const channel = connectChannel({ address: `127.0.0.1:${port}` });
    closers.add(() => channel.close());
    const call = (options = {}) =>
      channel.unary(IstioCertificateService.method.createCertificate, {}, { ...unhurried, ...options });
    for (let turn = 0; turn < 3; turn++) {
      await expect(call({ metadata })).rejects.toMatchObject({ code: Status.RESOURCE_EXHAUSTED });
      await call();
    }
  });
});

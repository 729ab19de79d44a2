import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { create, type DescMessage, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Client, type ClientDuplexStream, credentials } from "@grpc/grpc-js";
import { type ServedTestSds, serveTestSds, subscribeSds, testSnapshot } from "@signet/agent/testing";
import { SecretSchema } from "@signet/protos/envoy/extensions/transport_sockets/tls/v3/secret";
import {
  DeltaDiscoveryRequestSchema,
  DeltaDiscoveryResponseSchema,
  DiscoveryRequestSchema,
  DiscoveryResponseSchema,
} from "@signet/protos/envoy/service/discovery/v3/discovery";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fuzzParameters, fuzzTimeoutMs } from "./support/cases.ts";
import { names, nonce, served } from "./support/sds-names.ts";

type Method = {
  readonly path: string;
  readonly request: DescMessage;
  readonly namesIn: (bytes: Buffer) => readonly string[];
};
const secretService = "/envoy.service.secret.v3.SecretDiscoveryService";

const methods: Readonly<Record<"whole" | "delta", Method>> = {
  whole: {
    path: `${secretService}/StreamSecrets`,
    request: DiscoveryRequestSchema,
    namesIn: (bytes) =>
      fromBinary(DiscoveryResponseSchema, bytes).resources.map(({ value }) => fromBinary(SecretSchema, value).name),
  },
  delta: {
    path: `${secretService}/DeltaSecrets`,
    request: DeltaDiscoveryRequestSchema,
    namesIn: (bytes) =>
      fromBinary(DeltaDiscoveryResponseSchema, bytes).resources.map(
        ({ resource }) => fromBinary(SecretSchema, resource?.value ?? new Uint8Array(0)).name,
      ),
  },
};

/** A message on a stream: well formed, or bytes. */
const message = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("well-formed" as const),
      names,
      nonce,
      node: fc.boolean(),
      reject: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("bytes" as const), bytes: fc.uint8Array({ maxLength: 60 }) }) },
);
type Message = typeof message extends fc.Arbitrary<infer T> ? T : never;

/** A frame of HTTP/2 with any type, flags and stream; its length is true. */
const frame = fc
  .record({
    type: fc.nat(12),
    flags: fc.nat(255),
    stream: fc.constantFrom(0, 1, 2, 3, 0x7fffffff),
    body: fc.uint8Array({ maxLength: 40 }),
  })
  .map(({ type, flags, stream, body }) => {
    const head = Buffer.alloc(9);
    head.writeUIntBE(body.length, 0, 3);
    head.writeUInt8(type, 3);
    head.writeUInt8(flags, 4);
    head.writeUInt32BE(stream, 5);
    return Buffer.concat([head, body]);
  });
const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const rawBytes = fc.oneof(
  fc
    .array(frame, { maxLength: 6 })
    .map((frames) => Buffer.concat([preface, Buffer.of(0, 0, 0, 4, 0, 0, 0, 0, 0), ...frames])),
  fc.uint8Array({ maxLength: 80 }).map((bytes) => Buffer.from(bytes)),
);

describe("the served socket, whatever comes", () => {
  let directory: string;
  let socketPath: string;
  let server: ServedTestSds;
  let client: Client;
  let version = 0;

  function publish(padding = 0): string {
    version += 1;
    server.publish(testSnapshot(String(version), served, padding));
    return String(version);
  }

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), "signet-fuzz-sds-"));
    socketPath = join(directory, "sds.sock");
    server = await serveTestSds(socketPath);
    client = new Client(`unix:${socketPath}`, credentials.createInsecure());
    publish();
  });

  afterAll(async () => {
    client?.close();
    await server?.close();
    rmSync(directory, { recursive: true, force: true });
  });

  /** A client as it should be is served as it should be. */
  async function expectWell(): Promise<void> {
    const well = subscribeSds(socketPath, ["default"]);
    const held = await well.until((secrets) => secrets.has("default"));
    expect([...held.keys()]).toEqual(["default"]);
    well.close();
  }

  /** Sends all, and returns the names of the secrets that came before the stream ended or was quiet. */
  async function send(method: Method, messages: readonly Message[]): Promise<readonly string[]> {
    const asIs = (bytes: Buffer): Buffer => bytes;
    const stream: ClientDuplexStream<Buffer, Buffer> = client.makeBidiStreamRequest(method.path, asIs, asIs);
    const received: string[] = [];
    stream.on("data", (bytes: Buffer) => received.push(...method.namesIn(bytes)));
    const ended = new Promise<void>((resolve) => {
      stream.once("error", () => resolve());
      stream.once("end", () => resolve());
    });
    for (const each of messages) stream.write(bytesOf(method, each));
    stream.end();
    await ended;
    return received;
  }

  it(
    "never brings a secret that was not asked for on that stream, and serves the next client",
    async () => {
      let brought = 0;
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom<"whole" | "delta">("whole", "delta"),
          fc.array(message, { minLength: 1, maxLength: 8 }),
          async (kind, messages) => {
            const asked = new Set(messages.flatMap((each) => (each.kind === "bytes" ? [] : each.names)));
            const received = await send(methods[kind], messages);
            for (const each of received) expect(asked.has(each)).toBe(true);
            brought += received.length;
          },
        ),
        fuzzParameters(0.0075),
      );
      await expectWell();
      expect(brought).toBeGreaterThan(0);
      expect(server.failures).toEqual([]);
    },
    fuzzTimeoutMs,
  );

  it(
    "outlives frames and bytes that are no SDS",
    async () => {
      await fc.assert(
        fc.asyncProperty(rawBytes, async (bytes) => {
          const socket = connect(socketPath);
          socket.on("error", () => {});
          await once(socket, "connect");
          const heard: Buffer[] = [];
          socket.on("data", (data: Buffer) => heard.push(data));
          socket.end(bytes);
          await Promise.race([once(socket, "close"), sleep(2_000)]);
          socket.destroy();
          for (const each of served) expect(Buffer.concat(heard).includes(`${each} ${version}`)).toBe(false);
        }),
        fuzzParameters(0.0025),
      );
      await expectWell();
    },
    fuzzTimeoutMs,
  );

  it(
    "holds up nobody for those who never read",
    async () => {
      const slow = Array.from({ length: 20 }, () => {
        const session = connectHttp2("http://localhost", {
          createConnection: () => connect(socketPath),
          settings: { initialWindowSize: 0 },
        });
        const headers = {
          ":method": "POST",
          ":path": methods.whole.path,
          "content-type": "application/grpc",
          te: "trailers",
        };
        const stream = session.request(headers);
        stream.on("error", () => {});
        stream.pause();
        const bytes = bytesOf(methods.whole, {
          kind: "well-formed",
          names: served,
          nonce: "",
          node: true,
          reject: false,
        });
        const head = Buffer.alloc(5);
        head.writeUInt32BE(bytes.length, 1);
        stream.write(Buffer.concat([head, bytes]));
        return session;
      });
      while (server.openStreams() < slow.length) await sleep(5);
      const well = subscribeSds(socketPath, ["default"]);
      for (let round = 0; round < 30; round += 1) {
        const newest = publish(50_000);
        await well.until((secrets) => secrets.get("default")?.bundle?.startsWith(`default ${newest} `) === true);
      }
      well.close();
      for (const session of slow) session.destroy();
      while (server.openStreams() > 0) await sleep(5);
      expect(server.failures).toEqual([]);
    },
    fuzzTimeoutMs,
  );
});

function bytesOf({ request }: Method, each: Message): Buffer {
  if (each.kind === "bytes") return Buffer.from(each.bytes);
  const { names: wanted, nonce: responseNonce, node, reject } = each;
  const fields = {
    ...(node && { node: { id: "fuzz" } }),
    ...(reject && { errorDetail: { code: 3, message: "no" } }),
    responseNonce,
    resourceNames: wanted,
    resourceNamesSubscribe: wanted,
  };
  const known = request === DiscoveryRequestSchema ? DiscoveryRequestSchema : DeltaDiscoveryRequestSchema;
  return Buffer.from(toBinary<DescMessage>(known, create<DescMessage>(known, fields as never)));
}

import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Any, AnySchema } from "@bufbuild/protobuf/wkt";
import { connect, type GrpcListener, Status, StatusError } from "@signet/grpc";
import { SecretSchema } from "@signet/protos/envoy/extensions/transport_sockets/tls/v3/secret";
import type { DiscoveryResponse } from "@signet/protos/envoy/service/discovery/v3/discovery";
import { SecretDiscoveryService } from "@signet/protos/envoy/service/secret/v3/sds";
import { createSource, type Publisher } from "@signet/runtime";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openSdsStream, type SdsTestStream, subscribeSds } from "../testing/sds-test-client.ts";
import type { SdsEvents } from "./sds-events.ts";
import { serveSds } from "./sds-server.ts";
import type { SecretName } from "./secret-names.ts";
import { type SecretSnapshot, type SecretStreamNotice, secretTypeUrl } from "./secret-stream.ts";

let directory: string;
let socketPath: string;
let listener: GrpcListener;
let snapshots: Publisher<SecretSnapshot>;
let notices: SecretStreamNotice[];
let openStreams: number;
let failures: unknown[];
let streams: SdsTestStream[];

const noFiles = { follow: () => undefined, settled: async () => undefined };

async function startServer(): Promise<void> {
  const events: SdsEvents = {
    opened() {
      openStreams += 1;
    },
    closed() {
      openStreams -= 1;
    },
    sent() {},
    noticed: (_stream, notice) => void notices.push(notice),
    failed: (error) => void failures.push(error),
  };
  let count = 0;
  const newStreamId = (): string => {
    count += 1;
    return `t-${count}`;
  };
  listener = await serveSds({ socketPath, socketMode: 0o600, snapshots, newStreamId, files: noFiles }, events);
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "signet-sds-"));
  socketPath = join(directory, "socket");
  snapshots = createSource<SecretSnapshot>();
  [notices, failures, streams, openStreams] = [[], [], [], 0];
  await startServer();
});

afterEach(async () => {
  for (const stream of streams) stream.close();
  await listener.drain(0);
  await rm(directory, { recursive: true });
  expect(failures).toEqual([]);
});

function open(): SdsTestStream {
  const stream = openSdsStream(socketPath);
  streams.push(stream);
  return stream;
}

function secretOf(name: SecretName, text: string): Any {
  const value = new TextEncoder().encode(text);
  const trustedCa = { specifier: { case: "inlineBytes", value } } as const;
  const secret = create(SecretSchema, { name, type: { case: "validationContext", value: { trustedCa } } });
  return create(AnySchema, { typeUrl: secretTypeUrl, value: toBinary(SecretSchema, secret) });
}

function publish(version: string, texts: { readonly [N in SecretName]?: string }): void {
  const names = (["default", "ROOTCA"] as const).filter((name) => texts[name] !== undefined);
  const entries = names.map((name) => {
    const text = texts[name] ?? "";
    return [name, { revision: text, resource: secretOf(name, text) }] as const;
  });
  snapshots.publish({ version, secrets: new Map(entries) });
}

function textsIn(response: DiscoveryResponse): readonly string[] {
  return response.resources.map(({ value }) => {
    const { name, type } = fromBinary(SecretSchema, value);
    const source = type.case === "validationContext" ? type.value.trustedCa?.specifier : undefined;
    return `${name}: ${source?.case === "inlineBytes" ? Buffer.from(source.value).toString() : ""}`;
  });
}

async function statusOf(action: Promise<unknown>): Promise<Status | undefined> {
  const error: unknown = await action.catch((reason: unknown) => reason);
  return error instanceof StatusError ? error.code : undefined;
}

async function nextOf<T>(iterator: AsyncIterator<T, unknown>): Promise<T> {
  const result = await iterator.next();
  if (result.done === true) throw new Error("the stream has ended");
  return result.value;
}

/** Resolves once the condition holds; the test's own time limit ends a wait in vain. */
async function eventually(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(setImmediate);
}

const node = { id: "frontend-1" };

describe("StreamSecrets over the socket", () => {
  it("answers with everything Envoy looks at, then pushes what changes", async () => {
    publish("v1", { default: "svid 1", ROOTCA: "roots 1" });
    const stream = open();
    stream.send({ node, resourceNames: ["default", "ROOTCA"], typeUrl: secretTypeUrl });
    const first = await stream.next();
    expect(first).toMatchObject({ versionInfo: "v1", nonce: "t-1.1", typeUrl: secretTypeUrl });
    expect(first.resources.map(({ typeUrl }) => typeUrl)).toEqual([secretTypeUrl, secretTypeUrl]);
    expect(textsIn(first)).toEqual(["default: svid 1", "ROOTCA: roots 1"]);
    stream.send({ resourceNames: ["default", "ROOTCA"], versionInfo: "v1", responseNonce: first.nonce });
    await eventually(() => notices.length === 1);
    publish("v2", { default: "svid 2", ROOTCA: "roots 1" });
    const second = await stream.next();
    expect([second.versionInfo, second.nonce, textsIn(second)]).toEqual(["v2", "t-1.2", ["default: svid 2"]]);
  });

  it("has no answer until there is material", async () => {
    const stream = open();
    stream.send({ node, resourceNames: ["default"] });
    await eventually(() => openStreams === 1);
    publish("v1", { default: "svid 1" });
    expect(textsIn(await stream.next())).toEqual(["default: svid 1"]);
  });

  it("stays open for an unknown name and serves another one on the same stream", async () => {
    publish("v1", { default: "svid 1" });
    const stream = open();
    stream.send({ node, resourceNames: ["kubernetes://tls"] });
    await eventually(() => notices.length === 1);
    stream.send({ resourceNames: ["kubernetes://tls", "default"] });
    expect(textsIn(await stream.next())).toEqual(["default: svid 1"]);
    expect(notices[0]).toEqual({ kind: "unknown-names", names: ["kubernetes://tls"] });
  });

  it("tells of a rejected response with its reason, and sends the next material all the same", async () => {
    publish("v1", { default: "svid 1" });
    const stream = open();
    stream.send({ node, resourceNames: ["default"] });
    const { nonce } = await stream.next();
    stream.send({ resourceNames: ["default"], responseNonce: nonce, errorDetail: { code: 13, message: "bad key" } });
    await eventually(() => notices.length === 1);
    expect(notices).toEqual([{ kind: "rejected", versionInfo: "v1", reason: "bad key (code 13)" }]);
    publish("v2", { default: "svid 2" });
    expect(textsIn(await stream.next())).toEqual(["default: svid 2"]);
  });

  it("survives an error in the first request", async () => {
    publish("v1", { default: "svid 1" });
    const stream = open();
    stream.send({ node, resourceNames: ["default"], errorDetail: { code: 3, message: "x".repeat(5_000) } });
    expect(textsIn(await stream.next())).toEqual(["default: svid 1"]);
    expect(JSON.stringify(notices).length).toBeLessThan(1_200);
  });

  it("refuses a client without a node", async () => {
    const stream = open();
    stream.send({ resourceNames: ["default"] });
    expect(await statusOf(stream.next())).toBe(Status.INVALID_ARGUMENT);
    await eventually(() => openStreams === 0);
  });

  it("answers a client that comes back with the version of an older process", async () => {
    publish("v1", { default: "svid 1" });
    const stream = open();
    stream.send({ node, resourceNames: ["default"], versionInfo: "2020-01-01T00:00:00Z/abcd/7" });
    expect((await stream.next()).versionInfo).toBe("v1");
  });

  it("ends when the client says that it is done, or goes away", async () => {
    const [done, gone] = [open(), open()];
    for (const stream of [done, gone]) stream.send({ node, resourceNames: ["default"] });
    await eventually(() => openStreams === 2);
    done.end();
    await eventually(() => openStreams === 1);
    gone.close();
    await eventually(() => openStreams === 0);
  });

  it("serves every stream by itself", async () => {
    const clients = Array.from({ length: 50 }, (_, n) =>
      subscribeSds(socketPath, n % 2 === 0 ? ["default"] : ["ROOTCA"]),
    );
    await eventually(() => openStreams === clients.length);
    publish("v1", { default: "svid 1", ROOTCA: "roots 1" });
    const held = await Promise.all(clients.map((client) => client.until((secrets) => secrets.size === 1)));
    for (const [n, secrets] of held.entries()) {
      expect([...secrets.keys()]).toEqual(n % 2 === 0 ? ["default"] : ["ROOTCA"]);
    }
    for (const client of clients) client.close();
  });

  it("gives a client that is slow to read the newest material and not all of it", async () => {
    publish("v0", { default: `0 ${"x".repeat(200_000)}` });
    const slow = open();
    slow.send({ node, resourceNames: ["default"] });
    await eventually(() => openStreams === 1);
    for (let n = 1; n <= 100; n += 1) {
      publish(`v${n}`, { default: `${n} ${"x".repeat(200_000)}` });
      await new Promise(setImmediate);
    }
    const versions: string[] = [];
    while (versions.at(-1) !== "v100") versions.push((await slow.next()).versionInfo);
    expect(versions.length).toBeLessThan(90);
  });
});

describe("the SDS socket", () => {
  it("is closed in order: streams end, and the file goes", async () => {
    publish("v1", { default: "svid 1" });
    const stream = open();
    stream.send({ node, resourceNames: ["default"] });
    await stream.next();
    const ended = statusOf(stream.next());
    await listener.drain(1_000);
    expect(await ended).not.toBe(Status.INTERNAL);
    expect(openStreams).toBe(0);
    await expect(stat(socketPath)).rejects.toThrow();
  });
});

describe("the other methods of SDS", () => {
  it("serve incrementally: what is subscribed to, what changes, and what does not exist", async () => {
    publish("v1", { default: "svid 1", ROOTCA: "roots 1" });
    const channel = connect({ address: `unix:${socketPath}` });
    const signal = AbortSignal.timeout(5_000);
    const requests = (async function* () {
      yield { node, resourceNamesSubscribe: ["default", "kubernetes://tls"] };
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    })();
    const responses = channel.stream(SecretDiscoveryService.method.deltaSecrets, requests, { signal });
    const delta = responses[Symbol.asyncIterator]();
    const first = await nextOf(delta);
    expect(first).toMatchObject({ systemVersionInfo: "v1", nonce: "t-1.1", typeUrl: secretTypeUrl });
    expect(first.removedResources).toEqual(["kubernetes://tls"]);
    expect(first.resources.map(({ name, version }) => [name, version])).toEqual([["default", "svid 1"]]);
    publish("v2", { default: "svid 2", ROOTCA: "roots 1" });
    const second = await nextOf(delta);
    const [resource] = second.resources;
    const secret = resource?.resource && fromBinary(SecretSchema, resource.resource.value);
    expect([second.systemVersionInfo, resource?.version, secret?.name]).toEqual(["v2", "svid 2", "default"]);
    expect(openStreams).toBe(1);
    channel.close();
  });

  it("answer one request at once, or say why not", async () => {
    publish("v1", { default: "svid 1" });
    const channel = connect({ address: `unix:${socketPath}` });
    const fetch = (resourceNames: readonly string[]): Promise<DiscoveryResponse> =>
      channel.unary(
        SecretDiscoveryService.method.fetchSecrets,
        { resourceNames: [...resourceNames] },
        { deadlineMs: 5_000, signal: AbortSignal.timeout(5_000) },
      );
    expect(textsIn(await fetch(["default"]))).toEqual(["default: svid 1"]);
    expect(await statusOf(fetch(["default", "kubernetes://tls"]))).toBe(Status.NOT_FOUND);
    expect(await statusOf(fetch(["ROOTCA"]))).toBe(Status.UNAVAILABLE);
    channel.close();
  });
});

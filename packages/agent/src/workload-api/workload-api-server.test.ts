import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Channel, connect, type GrpcListener, Status, StatusError } from "@signet/grpc";
import { SpiffeWorkloadAPI } from "@signet/protos/spiffe/workload/workload";
import { createSource, type Publisher } from "@signet/runtime";
import { FakeClock } from "@signet/runtime/testing";
import { parseTrustDomain, type TrustDomain } from "@signet/spiffe";
import type { TrustBundle } from "@signet/x509";
import { type TestCa, testIntermediate, testLeaf, testRoot } from "@signet/x509/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { WorkloadIdentity } from "../identity/workload-identity.ts";
import { serveWorkloadApi } from "./workload-api-server.ts";

const header = { "workload.spiffe.io": "true" };
const home = parseTrustDomain("cluster.local");
const abroad = parseTrustDomain("partner.example");

let directory: string;
let identity: Publisher<WorkloadIdentity>;
let clock: FakeClock;
let listener: GrpcListener;
let channel: Channel;
let stop: AbortController;
let opened: number;
let events: string[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "signet-workload-api-"));
  const socketPath = join(directory, "workload.sock");
  identity = createSource<WorkloadIdentity>();
  clock = new FakeClock(new Date());
  stop = new AbortController();
  opened = 0;
  events = [];
  listener = await serveWorkloadApi(
    { socketPath, socketMode: 0o600, identity, clock },
    {
      opened() {
        opened += 1;
      },
      closed() {
        opened -= 1;
      },
      sent() {},
      refused: ({ method }) => events.push(`refused ${method}`),
      failed: (error) => events.push(`failed ${String(error)}`),
    },
  );
  channel = connect({ address: `unix:${socketPath}` });
});

afterEach(async () => {
  stop.abort();
  channel.close();
  await listener.drain(0);
  await rm(directory, { recursive: true, force: true });
});

async function identityOf(ca: TestCa, ...others: (readonly [TrustDomain, TrustBundle])[]): Promise<WorkloadIdentity> {
  const trustBundles = new Map([[home, ca.trustBundle], ...others]);
  return { svid: await testLeaf(ca), trustBundles, receivedAt: clock.now() };
}

function svids(metadata: Readonly<Record<string, string>> = header) {
  const requests = (async function* () {
    yield {};
  })();
  const options = { signal: stop.signal, metadata };
  return readerOf(channel.stream(SpiffeWorkloadAPI.method.fetchX509SVID, requests, options));
}

function bundles() {
  const requests = (async function* () {
    yield {};
  })();
  const options = { signal: stop.signal, metadata: header };
  return readerOf(channel.stream(SpiffeWorkloadAPI.method.fetchX509Bundles, requests, options));
}

function readerOf<T>(responses: AsyncIterable<T>): () => Promise<T> {
  const iterator = responses[Symbol.asyncIterator]();
  return async () => {
    const result = await iterator.next();
    if (result.done === true) throw new Error("the stream has ended");
    return result.value;
  };
}

async function statusOf(action: Promise<unknown>): Promise<Status | undefined> {
  const error: unknown = await action.catch((reason: unknown) => reason);
  return error instanceof StatusError ? error.code : undefined;
}

function hex(octets: Uint8Array | undefined): string {
  return Buffer.from(octets ?? []).toString("hex");
}

async function eventually(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(setImmediate);
}

describe("FetchX509SVID", () => {
  it("tells SVID, key and bundles as DER, intermediates included", async () => {
    const root = await testRoot();
    const foreign = await testRoot();
    const held = await identityOf(await testIntermediate(root), [abroad, foreign.trustBundle]);
    identity.publish(held);
    const { svids: told, federatedBundles } = await svids()();
    const [svid] = told;
    expect([told.length, svid?.spiffeId]).toEqual([1, held.svid.spiffeId]);
    const chain = Buffer.concat(held.svid.chain.map(({ der }) => der));
    expect(Buffer.from(svid?.x509Svid ?? []).equals(chain)).toBe(true);
    const key = held.svid.key.privateKey.export({ format: "der", type: "pkcs8" });
    expect(Buffer.from(svid?.x509SvidKey ?? []).equals(key)).toBe(true);
    const [authority] = held.trustBundles.get(home)?.authorities ?? [];
    expect(hex(svid?.bundle)).toBe(hex(authority?.der));
    expect(Object.keys(federatedBundles)).toEqual(["spiffe://partner.example"]);
  });

  it("waits for the first SVID, and tells each later one", async () => {
    const next = svids();
    const first = next();
    await eventually(() => opened === 1);
    const root = await testRoot();
    identity.publish(await identityOf(root));
    const one = await first;
    const renewed = next();
    identity.publish(await identityOf(root));
    expect((await renewed).svids[0]?.x509Svid).not.toEqual(one.svids[0]?.x509Svid);
  });

  it("waits while the SVID there is has expired", async () => {
    const root = await testRoot();
    const old = await identityOf(root);
    clock.jump(36_500 * 86_400_000);
    identity.publish(old);
    const pending = svids()();
    await eventually(() => opened === 1);
    // By then the stream has seen the old one, which was there before it.
    await new Promise(setImmediate);
    clock.jump(-36_500 * 86_400_000);
    const fresh = await identityOf(root);
    identity.publish(fresh);
    expect(hex((await pending).svids[0]?.x509Svid)).toBe(hex(fresh.svid.chain[0].der));
  });

  it.each([[{}], [{ "workload.spiffe.io": "yes" }], [{ "workload.spiffe.io": "TRUE" }]])(
    "refuses a client with %j for the mandatory header",
    async (metadata) => {
      identity.publish(await identityOf(await testRoot()));
      expect(await statusOf(svids(metadata)())).toBe(Status.INVALID_ARGUMENT);
      expect(events).toEqual(["refused FetchX509SVID"]);
      expect(opened).toBe(0);
    },
  );
});

describe("FetchX509Bundles", () => {
  it("tells all bundles, again only when one has changed, and also when the SVID has expired", async () => {
    const [root, other] = [await testRoot(), await testRoot()];
    const next = bundles();
    const first = next();
    identity.publish(await identityOf(root));
    expect(Object.keys((await first).bundles)).toEqual(["spiffe://cluster.local"]);
    const second = next();
    identity.publish(await identityOf(root));
    await new Promise(setImmediate);
    identity.publish(await identityOf(root, [abroad, other.trustBundle]));
    expect(Object.keys((await second).bundles)).toEqual(["spiffe://cluster.local", "spiffe://partner.example"]);
    clock.jump(36_500 * 86_400_000);
    expect(Object.keys((await bundles()()).bundles)).toHaveLength(2);
  });
});

describe("the JWT profile", () => {
  it("is not implemented", async () => {
    const options = { deadlineMs: 5_000, signal: stop.signal, metadata: header };
    const jwt = channel.unary(SpiffeWorkloadAPI.method.fetchJWTSVID, { audience: ["a"] }, options);
    expect(await statusOf(jwt)).toBe(Status.UNIMPLEMENTED);
    const validation = channel.unary(SpiffeWorkloadAPI.method.validateJWTSVID, {}, options);
    expect(await statusOf(validation)).toBe(Status.UNIMPLEMENTED);
  });
});

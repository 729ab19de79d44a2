import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bindService, type GrpcListener, plaintextCredentials, Status, StatusError, serve } from "@signet/grpc";
import { SpiffeWorkloadAPI } from "@signet/protos/spiffe/workload/workload";
import { createSource, errorCode, type Publisher } from "@signet/runtime";
import { parseSpiffeId } from "@signet/spiffe";
import { testRoot } from "@signet/x509/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { followSvid, type SvidSource } from "./svid-source.ts";
import { testIdentity } from "./testing.ts";
import type { WorkloadSvid } from "./workload-svid.ts";

const frontend = parseSpiffeId("spiffe://cluster.local/ns/demo/sa/frontend");
const partner = parseSpiffeId("spiffe://partner.example/ns/x/sa/y");

let directory: string;
let socketPath: string;
let told: Publisher<object>;
let listener: GrpcListener | undefined;
let sources: SvidSource[];
let failures: unknown[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "signet-tls-"));
  socketPath = join(directory, "workload.sock");
  told = createSource<object>();
  sources = [];
  failures = [];
  await serveApi();
});

afterEach(async () => {
  for (const source of sources) source.close();
  await listener?.drain(0);
  await rm(directory, { recursive: true, force: true });
});

async function serveApi(): Promise<void> {
  listener = await serve({
    listen: { socketPath, mode: 0o600 },
    credentials: plaintextCredentials(),
    services: [
      bindService(SpiffeWorkloadAPI, {
        async *fetchX509SVID(_requests, { signal, metadata }) {
          if (metadata.get("workload.spiffe.io")[0] !== "true")
            throw new StatusError(Status.INVALID_ARGUMENT, "header");
          yield* told.changes(signal);
        },
      }),
    ],
  });
}

function follow(): SvidSource {
  const source = followSvid({ endpoint: `unix:${socketPath}`, onFailure: (error) => failures.push(error) });
  sources.push(source);
  return source;
}

/** What an agent says of an identity. */
function responseOf({ svid, trustBundles }: WorkloadSvid, more: object = {}): object {
  const der = (certificates: readonly { readonly der: Uint8Array }[]): Uint8Array =>
    Buffer.concat(certificates.map(({ der: one }) => one));
  const federated = [...trustBundles].filter(([name]) => name !== "cluster.local");
  return {
    svids: [
      {
        spiffeId: svid.spiffeId,
        x509Svid: der(svid.chain),
        x509SvidKey: svid.key.privateKey.export({ format: "der", type: "pkcs8" }),
        bundle: der(trustBundles.get("cluster.local" as never)?.authorities ?? []),
        ...more,
      },
    ],
    federatedBundles: Object.fromEntries(
      federated.map(([name, { authorities }]) => [`spiffe://${name}`, der(authorities)]),
    ),
  };
}

const patience = (): AbortSignal => AbortSignal.timeout(10_000);

describe("the identity of a program", () => {
  it("is what the Workload API says, whole, and follows it", async () => {
    const [root, foreign] = [await testRoot(), await testRoot()];
    const identity = await testIdentity(root, frontend, new Map([[partner, foreign.trustBundle]]));
    const source = follow();
    const ready = source.ready(patience());
    told.publish(responseOf(identity));
    const first = await ready;
    expect(first.svid.spiffeId).toBe(frontend);
    expect(first.svid.key.publicKey.equals(identity.svid.key.publicKey)).toBe(true);
    expect([...first.trustBundles.keys()].sort()).toEqual(["cluster.local", "partner.example"]);
    told.publish(responseOf(await testIdentity(root, frontend)));
    for await (const next of source.identity.changes(patience())) if (next !== first) break;
    expect(failures).toEqual([]);
  });

  it("outlives the agent, and follows the next one", async () => {
    const root = await testRoot();
    told.publish(responseOf(await testIdentity(root, frontend)));
    const source = follow();
    const first = await source.ready(patience());
    await listener?.drain(0);
    while (failures.length === 0) await new Promise(setImmediate);
    expect(source.identity.current()).toBe(first);
    told.publish(responseOf(await testIdentity(root, frontend)));
    await serveApi();
    for await (const next of source.identity.changes(patience())) if (next !== first) break;
  });

  it.each([
    ["another SPIFFE ID", { spiffeId: "spiffe://cluster.local/ns/demo/sa/other" }],
    ["another key", { x509SvidKey: new Uint8Array([1, 2, 3]) }],
    ["no certificate", { x509Svid: new Uint8Array() }],
    ["half a certificate", { x509Svid: new Uint8Array([0x30, 0x82, 0x01]) }],
    ["something else than certificates", { bundle: new Uint8Array([0x02, 0x01, 0x05]) }],
    ["no bundle", { bundle: new Uint8Array() }],
  ])("is none with %s, and the one before stays", async (_, more) => {
    const identity = await testIdentity(await testRoot(), frontend);
    told.publish(responseOf(identity));
    const source = follow();
    const first = await source.ready(patience());
    told.publish(responseOf(identity, more));
    while (failures.length === 0) await new Promise(setImmediate);
    expect(failures.map(errorCode)).toContain("response-malformed");
    expect(source.identity.current()).toBe(first);
  });

  it("says why there is none in time", async () => {
    await listener?.drain(0);
    const source = follow();
    while (failures.length === 0) await new Promise(setImmediate);
    await expect(source.ready(AbortSignal.abort())).rejects.toMatchObject({ code: "no-identity" });
  });

  it.each(["", "unix:", "tcp://127.0.0.1:1", "https://x"])("has no socket in %j", (endpoint) => {
    expect(() => followSvid({ endpoint })).toThrow("names no socket");
  });
});

import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Channel } from "@signet/grpc";
import { type TestIssuer, testIssuer } from "@signet/jwt/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { testEnv } from "../e2e/ca-server-fixture.ts";
import { type Fault, type FaultProxy, startFaultProxy } from "../real/support/fault-proxy.ts";
import { type Caller, callOnce, problemOf } from "./callers.ts";
import { startLoad } from "./load.ts";
import { type RunningCa, runCa } from "./running-ca.ts";
import { createWorkloads } from "./workloads.ts";

/** An issuer whose keys can be replaced, and the wire to them. */
type WiredIssuer = { readonly issuer: TestIssuer; jwks: string; readonly proxy: FaultProxy; readonly server: Server };

let directory: string;
let one: WiredIssuer;
let other: WiredIssuer;
let ca: RunningCa | undefined;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "signet-chaos-"));
  [one, other] = await Promise.all([openIssuer("https://one.example"), openIssuer("https://other.example")]);
});

afterEach(async () => {
  await ca?.close();
  for (const { proxy, server } of [one, other]) {
    await proxy.close();
    server.closeAllConnections();
    server.close();
  }
  await rm(directory, { recursive: true, force: true });
});

async function openIssuer(name: string): Promise<WiredIssuer> {
  const issuer = testIssuer({ issuer: name });
  const server = createServer((_request, response) => response.end(opened.jwks));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const opened: WiredIssuer = { issuer, jwks: issuer.jwks, proxy: await startFaultProxy({ port }), server };
  return opened;
}

async function start(): Promise<{ readonly ca: RunningCa; readonly channel: Channel }> {
  const rules = [one, other].map(({ issuer, proxy }) => ({
    issuer: issuer.issuer,
    jwksUri: `http://127.0.0.1:${proxy.port}/keys`,
  }));
  const { TOKEN_ISSUER: _, ...env } = testEnv(directory, "");
  const started = await runCa({ ...env, JWT_RULE: JSON.stringify(rules), SIGNET_CREATE_CERTIFICATE_TIMEOUT: "20s" });
  ca = started;
  const rootPem = await readFile(join(directory, "state", "root-cert.pem"), "utf8");
  return { ca: started, channel: started.connect(rootPem) };
}

async function callerOf({ issuer }: WiredIssuer): Promise<Caller> {
  const [caller] = await createWorkloads(issuer, { count: 1 });
  if (caller === undefined) throw new Error("there is no caller");
  return caller;
}

describe("one issuer behind a bad wire", () => {
  it.each<Fault>([{ kind: "half-open" }, { kind: "truncate", afterBytes: 150 }])(
    "at the start, %j: it delays nobody of the other, and is known when that is over",
    async (fault) => {
      one.proxy.set(fault);
      const { channel } = await start();
      const bad = startLoad({ channels: [channel], callers: [await callerOf(one)], concurrency: 20 });
      const good = startLoad({ channels: [channel], callers: [await callerOf(other)], concurrency: 2 });
      await Promise.all([good.until("issued", 100), bad.until("UNAVAILABLE", 20)]);
      const report = await good.stop();
      expect(report).toMatchObject({ wrong: [], counts: new Map([["issued", report.calls]]) });
      // One asks for all of them.
      expect(one.proxy.open).toBeLessThan(4);
      expect(bad.take().wrong).toEqual([]);
      one.proxy.set({ kind: "pass" });
      await bad.until("issued", 20);
      expect((await bad.stop()).wrong).toEqual([]);
    },
  );

  it("once it is known: its keys go on, a new one is not refused for good, and counts when that is over", async () => {
    const { channel } = await start();
    const known = await callerOf(one);
    expect(await callOnce(channel, known)).toMatchObject({ kind: "issued" });
    const renewed = testIssuer({ issuer: one.issuer.issuer, kid: "renewed" });
    one.jwks = JSON.stringify({ keys: [one.jwks, renewed.jwks].flatMap((text) => JSON.parse(text).keys) });
    one.proxy.set({ kind: "half-open" });
    const withNewKey = await callerOf({ ...one, issuer: renewed });
    const stranger = await callerOf({ ...one, issuer: testIssuer({ issuer: one.issuer.issuer, kid: "nobody's" }) });
    const old = startLoad({ channels: [channel], callers: [known], concurrency: 2 });
    const early = startLoad({ channels: [channel], callers: [withNewKey, stranger], concurrency: 20 });
    for (const kind of ["half-open", "reset", "garbage", "latency"] as const) {
      one.proxy.set(kind === "latency" ? { kind, ms: 6_000 } : { kind });
      await Promise.all([old.until("issued", 50), early.until("any", 20)]);
      const before = early.take();
      // Not known for sure, as long as the issuer cannot be asked.
      expect(before.counts).toEqual(new Map([["UNAVAILABLE", before.calls]]));
      const meanwhile = old.take();
      expect(meanwhile).toMatchObject({ wrong: [], counts: new Map([["issued", meanwhile.calls]]) });
    }
    // However many ask, the issuer is asked again every few seconds only.
    expect(one.proxy.accepted).toBeLessThan(10);
    expect((await early.stop()).wrong).toEqual([]);
    expect((await old.stop()).wrong).toEqual([]);
    one.proxy.set({ kind: "pass" });
    const late = startLoad({ channels: [channel], callers: [withNewKey], concurrency: 2 });
    await late.until("issued", 10);
    expect((await late.stop()).wrong).toEqual([]);
    expect(await callOnce(channel, stranger)).toMatchObject({ kind: "UNAUTHENTICATED" });
  });
});

it("sees what is wrong with a certificate", async () => {
  const { channel } = await start();
  const [caller, stranger] = [await callerOf(one), await callerOf(other)];
  const { answer } = await callOnce(channel, caller);
  if (answer.kind === "refused") throw new Error(answer.message);
  const { chain } = answer;
  expect(problemOf(chain, caller)).toBeUndefined();
  expect(problemOf(chain, { ...caller, publicKey: stranger.publicKey })).toBe("another key");
  const spiffeId = "spiffe://cluster.local/ns/load/sa/workload-1";
  expect(problemOf(chain, { ...caller, spiffeId: spiffeId as Caller["spiffeId"] })).toContain("names URI:");
  expect(problemOf([chain[0] ?? "", chain[0] ?? ""], caller)).toContain("root");
});

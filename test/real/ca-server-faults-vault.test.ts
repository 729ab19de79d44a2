import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { prepareVaultCa, type VaultServer } from "@signet/cli/testing";
import type { Channel } from "@signet/grpc";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Caller } from "../chaos/callers.ts";
import { joinReports, kindsOf, startLoad } from "../chaos/load.ts";
import { type RunningCa, runCa } from "../chaos/running-ca.ts";
import { createWorkloads } from "../chaos/workloads.ts";
import { type OidcIssuer, startOidcIssuer, testEnv } from "../e2e/ca-server-fixture.ts";
import { type Fault, type FaultProxy, startFaultProxy } from "./support/fault-proxy.ts";
import { findTestVault } from "./support/vault-server.ts";

const found = await findTestVault();
/** What a server with all its calls in hand may hold. */
const mostMiB = 600;
/** No call may end later, and none has been ended by its client. */
const slowest = { deadlineMs: 12_000, withSlackMs: 40_000 };

describe.skipIf(found.skipped)(`a CA server and a bad wire to Vault ${found.skipped}`, () => {
  let vault: VaultServer;
  let proxy: FaultProxy;
  let directory: string;
  let issuer: OidcIssuer;
  let env: Readonly<Record<string, string>>;
  let rootPem: string;
  let ca: RunningCa;
  let channels: readonly Channel[];
  let callers: readonly Caller[];

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "signet-real-"));
    vault = await found.start();
    issuer = await startOidcIssuer();
    const { hostname, port } = new URL(vault.address);
    proxy = await startFaultProxy({ host: hostname, port: Number(port) });
    const { environment } = await prepareVaultCa(vault, { directory });
    rootPem = await readFile(environment.SIGNET_VAULT_ROOT_FILE ?? "", "utf8");
    const address = { VAULT_ADDR: `https://${hostname}:${proxy.port}` };
    env = { ...testEnv(directory, issuer.issuer), ...environment, ...address };
    ca = await runCa({ ...env, SIGNET_CREATE_CERTIFICATE_TIMEOUT: `${slowest.deadlineMs}ms` });
    channels = connectTo(ca);
    callers = await createWorkloads(issuer, { count: 12 });
    await ca.untilReady(200);
  });

  afterEach(async () => {
    proxy.set({ kind: "pass" });
    await ca.untilReady(200);
    expect(ca.running()).toBe(true);
  });

  afterAll(async () => {
    await ca?.close();
    await proxy?.close();
    await issuer?.close();
    await vault?.close();
    await rm(directory, { recursive: true, force: true });
  });

  function connectTo(server: RunningCa): readonly Channel[] {
    return [0, 1, 2, 3].map(() => server.connect(rootPem));
  }

  it.each<Fault>([
    { kind: "latency", ms: 100 },
    { kind: "half-open" },
    { kind: "reset" },
    { kind: "reset", afterBytes: 700 },
    { kind: "truncate", afterBytes: 700 },
    { kind: "garbage" },
  ])("issues nothing wrong with %j, ends every call, and recovers by itself", async (fault) => {
    const load = startLoad({ channels, callers, concurrency: 24 });
    await load.until("issued", 24);
    proxy.set(fault);
    load.take();
    const expected = fault.kind === "latency" ? "issued" : "UNAVAILABLE";
    await load.until(expected, 48);
    proxy.set({ kind: "pass" });
    const during = load.take();
    await load.until("issued", 24);
    const report = joinReports(during, await load.stop());
    expect(report.wrong).toEqual([]);
    expect(new Set(["issued", "UNAVAILABLE"])).toEqual(new Set(["issued", "UNAVAILABLE", ...kindsOf(report)]));
    expect(report.slowestMs).toBeLessThan(slowest.withSlackMs);
  });

  it("issues nothing wrong while faults come and go", async () => {
    const load = startLoad({ channels, callers, concurrency: 24 });
    const faults: readonly Fault[] = [
      { kind: "reset" },
      { kind: "pass" },
      ...[200, 900, 1_600, 2_300, 3_000].map((afterBytes) => ({ kind: "truncate", afterBytes }) as const),
      { kind: "pass" },
      { kind: "garbage" },
      { kind: "pass" },
    ];
    for (let round = 0; round < 60; round += 1) {
      proxy.set(faults[round % faults.length] ?? { kind: "pass" });
      await load.until("any", 8 * (round + 1));
    }
    proxy.set({ kind: "pass" });
    const during = load.take();
    await load.until("issued", 24);
    expect(joinReports(during, await load.stop()).wrong).toEqual([]);
  });

  it("finds Vault again at once when what was open is dead and what is new is not", async () => {
    const many = startLoad({ channels, callers, concurrency: 48 });
    await many.until("issued", 96);
    await many.stop();
    proxy.abandon();
    const one = startLoad({ channels, callers, concurrency: 1 });
    // One deadline, and not one for each of the connections that were kept.
    await one.until("issued", 10, 20_000);
    expect((await one.stop()).wrong).toEqual([]);
  });

  it("takes no more calls than it has room for, and serves those that it took", async () => {
    const patient = await runCa({
      ...env,
      SIGNET_STATE_DIR: join(directory, "patient"),
      SIGNET_VAULT_TIMEOUT: "60s",
      SIGNET_CREATE_CERTIFICATE_TIMEOUT: "80s",
    });
    try {
      await patient.untilReady(200);
      proxy.set({ kind: "half-open" });
      const many = startLoad({ channels: connectTo(patient), callers, concurrency: 1_400, once: true });
      // 32 ask Vault and 1024 wait; canaries may be among them.
      await many.until("RESOURCE_EXHAUSTED", 344, 60_000);
      expect(proxy.open).toBeLessThan(80);
      expect(patient.memory().nowMiB).toBeLessThan(mostMiB);
      proxy.set({ kind: "pass" });
      const report = await many.stop();
      expect(report).toMatchObject({ calls: 1_400, wrong: [] });
      expect(kindsOf(report)).toEqual(["RESOURCE_EXHAUSTED", "issued"]);
      expect(report.counts.get("issued")).toBeGreaterThan(1_050);
    } finally {
      await patient.close();
    }
  });
});

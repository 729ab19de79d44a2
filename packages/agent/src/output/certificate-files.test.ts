import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSource } from "@signet/runtime";
import { FakeClock } from "@signet/runtime/testing";
import { trustDomainOf } from "@signet/spiffe";
import { certificatePem, privateKeyPem } from "@signet/x509";
import { testLeaf, testRoot } from "@signet/x509/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { WorkloadIdentity } from "../identity/workload-identity.ts";
import { createCertificateFiles } from "./certificate-files.ts";
import type { ReloadHook } from "./reload-hook.ts";

let parent: string;
let clock: FakeClock;
let stop: AbortController;
let running: Promise<void> | undefined;
let lines: string[];

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), "signet-certificate-files-"));
  clock = new FakeClock();
  stop = new AbortController();
  lines = [];
});

afterEach(async () => {
  stop.abort();
  await running;
  await rm(parent, { recursive: true, force: true });
});

function start(directory: string, hook?: ReloadHook) {
  const identity = createSource<WorkloadIdentity>();
  const task = createCertificateFiles(
    { identity, directory, keyFormat: "traditional", ...(hook !== undefined && { hook }) },
    {
      clock,
      random: () => 1,
      events: {
        written: () => lines.push("written"),
        failed: () => lines.push("failed"),
        reloaded: () => lines.push("reloaded"),
        reloadFailed: () => lines.push("reload failed"),
      },
    },
  );
  running = task.run(stop.signal);
  return identity;
}

async function newIdentity(): Promise<WorkloadIdentity> {
  const root = await testRoot();
  const svid = await testLeaf(root);
  return { svid, trustBundles: new Map([[trustDomainOf(svid.spiffeId), root.trustBundle]]), receivedAt: clock.now() };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(setImmediate);
}

describe("certificate files", () => {
  it("hold each identity, and the program is told after each", async () => {
    const directory = join(parent, "certs");
    const identity = start(directory, { kind: "command", command: "true" });
    const first = await newIdentity();
    identity.publish(first);
    await until(() => lines.length === 2);
    const read = (name: string): Promise<string> => readFile(join(directory, name), "utf8");
    expect(await read("key.pem")).toBe(privateKeyPem(first.svid.key, "traditional"));
    expect(await read("cert-chain.pem")).toBe(first.svid.chain.map(certificatePem).join(""));
    const [bundle] = first.trustBundles.values();
    expect(await read("root-cert.pem")).toBe(bundle?.authorities.map(certificatePem).join(""));
    const second = await newIdentity();
    identity.publish(second);
    await until(() => lines.length === 4);
    expect(await read("key.pem")).toBe(privateKeyPem(second.svid.key, "traditional"));
    expect(lines).toEqual(["written", "reloaded", "written", "reloaded"]);
  });

  it("are written at once when there is a newer identity, however long the next attempt to tell of the old one is away", async () => {
    const directory = join(parent, "certs");
    const identity = start(directory, { kind: "command", command: "false" });
    identity.publish(await newIdentity());
    await until(() => lines.length === 2);
    await clock.untilSleepers();
    const second = await newIdentity();
    identity.publish(second);
    await until(() => lines.length === 4);
    expect(lines).toEqual(["written", "reload failed", "written", "reload failed"]);
    expect(await readFile(join(directory, "key.pem"), "utf8")).toBe(privateKeyPem(second.svid.key, "traditional"));
  });

  it("are tried again until they can be written", async () => {
    const directory = join(parent, "certs");
    // A file in the place of the directory stands for a volume that is not there yet.
    await writeFile(directory, "");
    const identity = start(directory);
    identity.publish(await newIdentity());
    await clock.untilSleepers();
    await clock.advance(500);
    await clock.untilSleepers();
    expect(lines).toEqual(["failed", "failed"]);
    await rm(directory);
    await clock.advance(1_000);
    await until(() => lines.includes("written"));
  });

  it("are not written again because the program cannot be told", async () => {
    const pidFile = join(parent, "pid");
    const identity = start(join(parent, "certs"), { kind: "signal", signal: "SIGHUP", pidFile });
    identity.publish(await newIdentity());
    await clock.untilSleepers();
    await clock.advance(500);
    await clock.untilSleepers();
    expect(lines).toEqual(["written", "reload failed", "reload failed"]);
  });

  it("are those of the newest identity, whatever could not be done for the one before", async () => {
    const identity = start(join(parent, "certs"), { kind: "signal", signal: "SIGHUP", pidFile: join(parent, "pid") });
    identity.publish(await newIdentity());
    await clock.untilSleepers();
    const newest = await newIdentity();
    identity.publish(newest);
    await clock.advance(500);
    await until(() => lines.filter((line) => line === "written").length === 2);
    expect(await readFile(join(parent, "certs", "key.pem"), "utf8")).toBe(
      privateKeyPem(newest.svid.key, "traditional"),
    );
  });
});

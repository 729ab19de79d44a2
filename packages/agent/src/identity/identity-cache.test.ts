import { chmod, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSource, errorCode } from "@signet/runtime";
import { trustDomainOf } from "@signet/spiffe";
import { testIntermediate, testLeaf, testRoot } from "@signet/x509/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openIdentityCache } from "./identity-cache.ts";
import type { WorkloadIdentity } from "./workload-identity.ts";

const now = new Date("2026-11-30T12:00:00Z");
// Of all the directories that Linux has, this one is in memory.
const memory = "/dev/shm";
const here = { purpose: "ca demo frontend" };

let directory: string;
let stop: AbortController;
let running: Promise<void> | undefined;

beforeEach(async () => {
  directory = await mkdtemp(join(memory, "signet-cache-"));
  stop = new AbortController();
  running = undefined;
});

afterEach(async () => {
  stop.abort();
  await running;
  await rm(directory, { recursive: true, force: true });
});

async function newIdentity(validity: object = {}): Promise<WorkloadIdentity> {
  const root = await testRoot();
  const svid = await testLeaf(await testIntermediate(root), validity);
  return { svid, trustBundles: new Map([[trustDomainOf(svid.spiffeId), root.trustBundle]]), receivedAt: now };
}

/** Writes an identity as a running agent does. */
async function keep(identity: WorkloadIdentity): Promise<readonly unknown[]> {
  const cache = await openIdentityCache(directory, here);
  const failures: unknown[] = [];
  running = cache?.keep(createSource(identity), (error) => failures.push(error)).run(stop.signal);
  while (failures.length === 0 && !(await stat(join(directory, "identity.json")).catch(() => undefined)));
  stop.abort();
  await running;
  return failures;
}

async function load(options = here, at = now): Promise<WorkloadIdentity | string | undefined> {
  try {
    return await (await openIdentityCache(directory, options))?.load(at);
  } catch (error) {
    expect(errorCode(error)).toBe("identity-cache-unusable");
    return error instanceof Error ? error.message : "";
  }
}

// Elsewhere no directory is known to be in memory.
describe.skipIf(process.platform !== "linux")("the identity cache (needs the tmpfs of Linux)", () => {
  it("gives back what was kept, whole", async () => {
    const identity = await newIdentity();
    await keep(identity);
    const loaded = await load();
    if (typeof loaded !== "object") throw new Error(loaded);
    expect(loaded.svid.spiffeId).toBe(identity.svid.spiffeId);
    expect(loaded.svid.chain.map(({ der }) => Buffer.from(der).toString("hex"))).toEqual(
      identity.svid.chain.map(({ der }) => Buffer.from(der).toString("hex")),
    );
    expect(loaded.svid.key.privateKey.equals(identity.svid.key.privateKey)).toBe(true);
    expect([...loaded.trustBundles.keys()]).toEqual([...identity.trustBundles.keys()]);
    expect(loaded.receivedAt).toEqual(now);
    expect((await stat(join(directory, "identity.json"))).mode & 0o777).toBe(0o600);
  });

  it("has nothing before anything was kept, and is none where there is no directory", async () => {
    expect(await load()).toBeUndefined();
    expect(await openIdentityCache(join(directory, "none"), here)).toBeUndefined();
  });

  it("is not on a disk", async () => {
    const onDisk = await mkdtemp(join(tmpdir(), "signet-cache-"));
    try {
      const opening = openIdentityCache(onDisk, here);
      await expect(opening).rejects.toThrow("is not in memory (tmpfs), and no key is written to a disk");
    } finally {
      await rm(onDisk, { recursive: true });
    }
  });

  it("gives nothing that is for another purpose, or over", async () => {
    await keep(await newIdentity({ notAfter: new Date("2026-12-01T00:00:00Z") }));
    expect(await load({ purpose: "ca demo backend" })).toContain("another workload, or of another CA");
    expect(await load(here, new Date("2026-12-01T00:00:01Z"))).toContain("no identity that is valid now");
    expect(typeof (await load(here))).toBe("object");
  });

  it.each<[string, (text: string) => string]>([
    ["is cut off", (text) => text.slice(0, text.length / 2)],
    ["is empty", () => ""],
    ["is of another version", (text) => text.replace('"version":1', '"version":2')],
    ["has another key", (text) => text.replace(/"key":"[^"]+"/, `"key":"x"`)],
    ["has a bundle of nobody", (text) => text.replace(/"trustBundles":.*\]/, '"trustBundles":[]')],
    ["is a list", () => "[]"],
  ])("refuses what %s, and quotes nothing of it", async (_, change) => {
    await keep(await newIdentity());
    const path = join(directory, "identity.json");
    const text = await readFile(path, "utf8");
    await writeFile(path, change(text));
    const problem = await load();
    expect(typeof problem).toBe("string");
    const [, key = ""] = /"key":"-----BEGIN PRIVATE KEY-----\\n([^\\]{20})/.exec(text) ?? [];
    expect(key).toHaveLength(20);
    expect(problem).not.toContain(key);
  });

  it("refuses a file that others can read, or a link in its place", async () => {
    await keep(await newIdentity());
    const path = join(directory, "identity.json");
    await chmod(path, 0o640);
    expect(await load()).toContain("can be read or was written by others");
    await rm(path);
    await mkdir(join(directory, "elsewhere"));
    await writeFile(join(directory, "elsewhere", "file"), "{}", { mode: 0o600 });
    await symlink(join(directory, "elsewhere", "file"), path);
    expect(await load()).toContain("is no regular file");
  });
});

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSource, type Publisher, runGroup, type Source } from "@signet/runtime";
import { FakeClock } from "@signet/runtime/testing";
import { trustDomainOf } from "@signet/spiffe";
import { certificatePem, parseTrustBundle } from "@signet/x509";
import { type TestCa, testLeaf, testRoot } from "@signet/x509/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { withMountedRoots } from "./trust-bundle-source.ts";
import type { WorkloadIdentity } from "./workload-identity.ts";

let directory: string;
let rootFile: string;
let clock: FakeClock;
let stop: AbortController;
let running: Promise<void> | undefined;
let lines: string[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "signet-roots-"));
  rootFile = join(directory, "root-cert.pem");
  clock = new FakeClock();
  stop = new AbortController();
  running = undefined;
  lines = [];
});

afterEach(async () => {
  stop.abort();
  await running;
  await rm(directory, { recursive: true, force: true });
});

function start(): { readonly issued: Publisher<WorkloadIdentity>; readonly served: Source<WorkloadIdentity> } {
  const issued = createSource<WorkloadIdentity>();
  const { identity, tasks } = withMountedRoots(
    { identity: issued, rootFile },
    {
      clock,
      events: {
        rootsAdded: ({ authorities }) => lines.push(`added ${authorities.length}`),
        rootsUnreadable: () => lines.push("unreadable"),
      },
    },
  );
  running = runGroup(tasks, stop.signal);
  return { issued, served: identity };
}

async function identityOf(ca: TestCa, ...others: readonly TestCa[]): Promise<WorkloadIdentity> {
  const svid = await testLeaf(ca);
  const bundle = parseTrustBundle([ca, ...others].map(({ pem }) => pem).join(""));
  return { svid, trustBundles: new Map([[trustDomainOf(svid.spiffeId), bundle]]), receivedAt: clock.now() };
}

function rootsOf(source: Source<WorkloadIdentity>): readonly string[] {
  const [bundle] = source.current()?.trustBundles.values() ?? [];
  expect(parseTrustBundle(bundle?.pem ?? "").authorities).toHaveLength(bundle?.authorities.length ?? -1);
  return bundle?.authorities.map(certificatePem) ?? [];
}

/** One more look at the file. */
async function look(): Promise<void> {
  await clock.untilSleepers();
  await clock.advance(20_000);
  await clock.untilSleepers();
}

describe("an identity with mounted roots", () => {
  it("is served as it came while there is no file", async () => {
    const { issued, served } = start();
    const identity = await identityOf(await testRoot());
    issued.publish(identity);
    await look();
    expect(served.current()).toBe(identity);
    expect(lines).toEqual([]);
  });

  it("has a new root as soon as that is in the file, under the same SVID", async () => {
    const { issued, served } = start();
    const [old, next] = [await testRoot(), await testRoot()];
    await writeFile(rootFile, old.pem);
    issued.publish(await identityOf(old));
    await look();
    expect(rootsOf(served)).toEqual([old.pem]);
    const before = served.current();
    await writeFile(rootFile, `# both\n${next.pem}${old.pem}`);
    await look();
    expect(rootsOf(served)).toEqual([old.pem, next.pem]);
    expect(served.current()?.svid).toBe(before?.svid);
    expect(lines).toEqual(["added 1"]);
  });

  it("publishes nothing when the file says nothing new", async () => {
    const { issued, served } = start();
    const root = await testRoot();
    await writeFile(rootFile, root.pem);
    issued.publish(await identityOf(root));
    await look();
    const before = served.current();
    await writeFile(rootFile, `# a comment\n${root.pem}`);
    await look();
    expect(served.current()).toBe(before);
  });

  it("keeps the roots of a file that cannot be read, and tells once", async () => {
    const { issued, served } = start();
    const [old, next] = [await testRoot(), await testRoot()];
    await writeFile(rootFile, next.pem);
    issued.publish(await identityOf(old));
    await look();
    await writeFile(rootFile, next.pem.slice(0, 100));
    await look();
    await look();
    expect(rootsOf(served)).toEqual([old.pem, next.pem]);
    expect(lines.filter((line) => line === "unreadable")).toHaveLength(1);
  });

  it("loses a root only when the next SVID and the file are without it", async () => {
    const { issued, served } = start();
    const [old, next] = [await testRoot(), await testRoot()];
    await writeFile(rootFile, old.pem + next.pem);
    issued.publish(await identityOf(old, next));
    await look();
    issued.publish(await identityOf(next));
    await look();
    expect(rootsOf(served)).toEqual([next.pem, old.pem]);
    await writeFile(rootFile, next.pem);
    await look();
    expect(rootsOf(served)).toEqual([next.pem]);
  });
});

import { createSource } from "@signet/runtime";
import { parseTrustDomain } from "@signet/spiffe";
import { parseTrustBundle, type TrustBundle } from "@signet/x509";
import { testLeaf, testRoot } from "@signet/x509/testing";
import { afterEach, describe, expect, it } from "vitest";
import type { WorkloadIdentity } from "../identity/workload-identity.ts";
import { createSecretBoard } from "./secret-board.ts";
import { createSecretPublisher } from "./secret-publisher.ts";
import type { SecretSnapshot } from "./secret-stream.ts";

const trustDomain = parseTrustDomain("cluster.local");
const stops: AbortController[] = [];

afterEach(() => {
  for (const stop of stops.splice(0)) stop.abort();
});

function startPublisher() {
  const identity = createSource<WorkloadIdentity>();
  const bundles: TrustBundle[] = [];
  const stop = new AbortController();
  stops.push(stop);
  const board = createSecretBoard("start");
  const { snapshots } = board;
  const task = createSecretPublisher({
    identity,
    board,
    keyFormat: "traditional",
    onBundleChange: (bundle) => bundles.push(bundle),
  });
  const ended = task.run(stop.signal);
  async function publish(next: WorkloadIdentity): Promise<SecretSnapshot> {
    identity.publish(next);
    await new Promise(setImmediate);
    const snapshot = snapshots.current();
    if (snapshot === undefined) throw new Error("no secrets were published");
    return snapshot;
  }
  return { publish, bundles, snapshots, ended, stop };
}

function revisions({ secrets }: SecretSnapshot): Readonly<Record<string, string | undefined>> {
  return { default: secrets.get("default")?.revision, ROOTCA: secrets.get("ROOTCA")?.revision };
}

describe("the published secrets", () => {
  it("are none before the first identity, and end with the signal", async () => {
    const { snapshots, ended, stop } = startPublisher();
    expect(snapshots.current()).toBeUndefined();
    stop.abort();
    await ended;
  });

  it("change `default` with every identity and `ROOTCA` only with the set of authorities", async () => {
    const [root, next] = [await testRoot(), await testRoot()];
    const { publish, bundles } = startPublisher();
    const identityWith = async (bundlePem: string): Promise<WorkloadIdentity> => ({
      svid: await testLeaf(root),
      trustBundles: new Map([[trustDomain, parseTrustBundle(bundlePem)]]),
      receivedAt: new Date(),
    });

    const first = await publish(await identityWith(root.pem));
    expect([first.version, revisions(first)]).toEqual(["start/1", { default: "start/1", ROOTCA: "start/1" }]);
    const reworded = await publish(await identityWith(`# the same\n${root.pem}\n${root.pem}`));
    expect([reworded.version, revisions(reworded)]).toEqual(["start/2", { default: "start/2", ROOTCA: "start/1" }]);
    const grown = await publish(await identityWith(root.pem + next.pem));
    expect(revisions(grown)).toEqual({ default: "start/3", ROOTCA: "start/3" });
    const turned = await publish(await identityWith(next.pem + root.pem));
    expect(revisions(turned)).toEqual({ default: "start/4", ROOTCA: "start/3" });
    expect(bundles.map(({ authorities }) => authorities.length)).toEqual([1, 2]);
  });

  it("keep `default` when only the bundle has changed", async () => {
    const [root, next] = [await testRoot(), await testRoot()];
    const { publish } = startPublisher();
    const svid = await testLeaf(root);
    const receivedAt = new Date();
    await publish({ svid, trustBundles: new Map([[trustDomain, root.trustBundle]]), receivedAt });
    const both = parseTrustBundle(root.pem + next.pem);
    const changed = await publish({ svid, trustBundles: new Map([[trustDomain, both]]), receivedAt });
    expect(revisions(changed)).toEqual({ default: "start/1", ROOTCA: "start/2" });
  });

  it("have no `ROOTCA` without a bundle of the workload's own trust domain", async () => {
    const root = await testRoot();
    const { publish } = startPublisher();
    const trustBundles = new Map([[parseTrustDomain("other.example"), root.trustBundle]]);
    const snapshot = await publish({ svid: await testLeaf(root), trustBundles, receivedAt: new Date() });
    expect([...snapshot.secrets.keys()]).toEqual(["default"]);
  });
});

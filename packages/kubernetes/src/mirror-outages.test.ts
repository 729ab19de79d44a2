import { afterEach, describe, expect, it } from "vitest";
import { type Following, followSecrets, putSecret } from "./testing/follow-secrets.ts";
import type { FakeCluster, WatchBreak } from "./testing.ts";

const stops: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

function start(...options: Parameters<typeof followSecrets>): Following {
  const following = followSecrets(...options);
  stops.push(following.stop);
  return following;
}

describe("a mirror whose server fails", () => {
  it.each<[WatchBreak]>([["end"], ["cut"], ["gone"], ["error"]])("gets over a watch that ends by %s", async (how) => {
    const following = start();
    const { clock, cluster, copy, held, truth } = following;
    await clock.advance(0);
    for (let round = 0; round < 3; round += 1) {
      cluster.breakWatches(how);
      putSecret(following, `a${round}`);
      await clock.advance(10_000);
      expect(held()).toEqual(truth());
      expect(copy.synced()).toBe(true);
    }
    await clock.advance(40_000);
    expect(copy.changes.current()?.error).toBeUndefined();
  });

  it("waits as long as the server asks", async () => {
    const { clock, cluster, asked } = start();
    await clock.advance(0);
    cluster.setFault({ kind: "status", status: 429, retryAfterSeconds: 30 });
    cluster.breakWatches("cut");
    await clock.advance(1_000);
    const before = asked();
    await clock.advance(29_000);
    expect(asked()).toBe(before);
    await clock.advance(31_000);
    expect(asked()).toBeGreaterThan(before);
  });

  it("waits no longer than a minute, whatever the server asks", async () => {
    const { clock, cluster, asked } = start();
    await clock.advance(0);
    cluster.setFault({ kind: "status", status: 503, retryAfterSeconds: 3_600 });
    cluster.breakWatches("cut");
    await clock.advance(1_000);
    const before = asked();
    await clock.advance(60_000);
    expect(asked()).toBe(before + 1);
  });

  it.each([
    ["ends every watch at once", (cluster: FakeCluster) => cluster.breakWatches("end")],
    ["answers every watch with 410", (cluster: FakeCluster) => cluster.breakWatches("gone")],
  ])("does not hurry when the server %s", async (_, disturb) => {
    const { clock, cluster, asked } = start();
    await clock.advance(0);
    for (let step = 0; step < 600; step += 1) {
      disturb(cluster);
      await clock.advance(100);
    }
    // Two requests for a round at most, and rounds that soon are 5 seconds apart on average.
    expect(asked()).toBeLessThan(80);
  });

  it.each([401, 403, 404, 500, 503])(
    "keeps what it has while the server answers %i, and gets over it",
    async (status) => {
      const following = start();
      const { clock, cluster, copy, held } = following;
      putSecret(following, "a");
      await clock.advance(0);
      cluster.setFault({ kind: "status", status });
      cluster.breakWatches("cut");
      putSecret(following, "b");
      await clock.advance(30_000);
      expect(held()).toEqual(["a="]);
      expect(copy.changes.current()?.error?.status).toBe(status);
      cluster.setFault(undefined);
      await clock.advance(11_000);
      expect(held()).toEqual(["a=", "b="]);
      expect(copy.synced()).toBe(true);
    },
  );

  it.each(["garbage", "truncated"] as const)("takes nothing from an answer that is %s", async (kind) => {
    const following = start({ fault: { kind } });
    const { clock, cluster, copy, held } = following;
    putSecret(following, "a");
    await clock.advance(30_000);
    expect(copy.synced()).toBe(false);
    expect(held()).toEqual([]);
    cluster.setFault(undefined);
    await clock.advance(11_000);
    expect(held()).toEqual(["a="]);
  });
});

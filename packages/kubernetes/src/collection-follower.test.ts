import { afterEach, describe, expect, it } from "vitest";
import { resources } from "./index.ts";
import { deleteSecret, type Following, followSecrets, putSecret } from "./testing/follow-secrets.ts";

const { secrets } = resources;
const stops: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

function start(...options: Parameters<typeof followSecrets>): Following {
  const following = followSecrets(...options);
  stops.push(following.stop);
  return following;
}

describe("whether a mirror is synced", () => {
  it("notices a watch behind which nobody is, and lists again", async () => {
    const following = start();
    const { clock, cluster, copy, held } = following;
    await clock.advance(0);
    cluster.breakWatches("silent");
    putSecret(following, "a");
    await clock.advance(44_000);
    expect(held()).toEqual([]);
    await clock.advance(2_000);
    expect(held()).toEqual(["a="]);
    expect(copy.synced()).toBe(true);
  });

  it("is not synced a minute after the server was last heard of, until it is back", async () => {
    const following = start();
    const { clock, cluster, copy, held } = following;
    await clock.advance(0);
    cluster.setFault({ kind: "half-open" });
    cluster.breakWatches("cut");
    await clock.advance(59_000);
    expect(copy.synced()).toBe(true);
    await clock.advance(1_000);
    expect(copy.synced()).toBe(false);
    expect(copy.changes.current()?.error?.code).toBe("deadline-exceeded");
    putSecret(following, "a");
    await clock.advance(600_000);
    expect(copy.synced()).toBe(false);
    expect(held()).toEqual([]);
    cluster.setFault(undefined);
    await clock.advance(20_000);
    expect(copy.synced()).toBe(true);
    expect(held()).toEqual(["a="]);
    expect(copy.changes.current()).toEqual({ version: 1, synced: true });
  });

  it("does not take it for a sign of life that watches open", async () => {
    const { clock, cluster, copy } = start();
    await clock.advance(0);
    cluster.setFault({ kind: "status", status: 503, only: ({ watch }) => !watch });
    const opened = cluster.requests.length;
    for (let second = 0; second < 60; second += 1) {
      cluster.breakWatches("cut");
      await clock.advance(1_000);
    }
    expect(cluster.requests.length - opened).toBeGreaterThan(5);
    expect(copy.synced()).toBe(false);
  });

  it("lists at once when it has gone stale under a watch that says nothing", async () => {
    const { clock, cluster, copy, asked } = start();
    await clock.advance(0);
    cluster.setFault({ kind: "reset" });
    cluster.breakWatches("cut");
    await clock.advance(45_000);
    cluster.setFault(undefined);
    await clock.advance(14_999);
    const before = asked();
    await clock.advance(1);
    expect(asked()).toBe(before);
    expect(copy.synced()).toBe(false);
    await clock.advance(10_000);
    expect(copy.synced()).toBe(true);
  });

  it("forgets what went wrong once the server is heard of", async () => {
    const { clock, cluster, copy } = start();
    await clock.advance(0);
    cluster.breakWatches("cut");
    await clock.advance(1_000);
    expect(copy.changes.current()?.error?.code).toBe("unavailable");
    cluster.put(secrets, { metadata: { namespace: "kube-system", name: "elsewhere" } });
    cluster.sendBookmarks();
    await clock.advance(0);
    expect(copy.changes.current()).toEqual({ version: 0, synced: true });
  });

  it("forgets what went wrong, and how often, when a watch has lasted", async () => {
    const { clock, cluster, copy, asked } = start();
    await clock.advance(0);
    for (let failure = 0; failure < 10; failure += 1) {
      cluster.breakWatches("cut");
      await clock.advance(failure === 9 ? 0 : 5_000);
    }
    expect(copy.changes.current()?.error?.code).toBe("unavailable");
    await clock.advance(100_000);
    expect(copy.changes.current()).toEqual({ version: 0, synced: true });
    const before = asked();
    cluster.breakWatches("cut");
    await clock.advance(200);
    expect(asked()).toBe(before + 1);
  });

  it("stays synced while nothing happens, with one watch and one look at the present each 40 seconds", async () => {
    const { clock, cluster, copy, asked } = start();
    await clock.advance(0);
    const before = asked();
    let lapses = 0;
    for (let second = 0; second < 400; second += 1) {
      await clock.advance(1_000);
      if (!copy.synced()) lapses += 1;
    }
    expect(lapses).toBe(0);
    expect(asked() - before).toBe(20);
    expect(cluster.watchCount).toBe(1);
  });

  it("notices a server that went back behind what it had told", async () => {
    const following = start();
    const { clock, cluster, copy, held } = following;
    putSecret(following, "a");
    await clock.advance(0);
    cluster.turnBack(50);
    // Nobody is told of this: the watch waits for a version that is long to come.
    deleteSecret(following, "a");
    await clock.advance(39_000);
    expect(held()).toEqual(["a="]);
    await clock.advance(3_000);
    expect(held()).toEqual([]);
    expect(copy.synced()).toBe(true);
  });
});

import { FakeClock, seededRandom } from "@signet/runtime/testing";
import { afterEach, describe, expect, it } from "vitest";
import { KubernetesError, mirror, resources, type Secret } from "./index.ts";
import { deleteSecret, type Following, followSecrets, putSecret } from "./testing/follow-secrets.ts";
import { fakeKubernetes } from "./testing.ts";

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

describe("mirror", () => {
  it("is synced once it holds the whole list, and follows every change", async () => {
    const following = start();
    const { clock, copy, changes, held } = following;
    putSecret(following, "a", { value: "MQ==" });
    expect(copy.synced()).toBe(false);
    await clock.advance(0);
    expect(copy.synced()).toBe(true);
    putSecret(following, "a", { value: "Mg==" });
    putSecret(following, "b", { value: "Mw==" });
    deleteSecret(following, "a");
    await clock.advance(0);
    expect(changes).toEqual(["added a=MQ==", "modified a=Mg==", "added b=Mw==", "deleted a=Mg=="]);
    expect(held()).toEqual(["b=Mw=="]);
    expect(copy.get({ namespace: "default", name: "b" })).toBe("b=Mw==");
    expect(copy.get({ namespace: "other", name: "b" })).toBeUndefined();
    expect(copy.changes.current()).toEqual({ version: 4, synced: true });
  });

  it("sees what was deleted, changed and replaced while it did not look", async () => {
    const following = start();
    const { clock, cluster, changes, held, truth } = following;
    for (const name of ["a", "b", "c", "d"]) putSecret(following, name);
    await clock.advance(0);
    changes.length = 0;
    cluster.setFault({ kind: "reset" });
    cluster.breakWatches("cut");
    await clock.advance(0);
    deleteSecret(following, "a");
    putSecret(following, "b", { value: "Mg==" });
    deleteSecret(following, "c");
    putSecret(following, "c", { value: "Mw==" });
    cluster.forgetHistory();
    cluster.setFault(undefined);
    await clock.advance(20_000);
    expect(changes.sort()).toEqual(["added c=Mw==", "deleted a=", "deleted c=", "modified b=Mg=="]);
    expect(held()).toEqual(truth());
  });

  it("goes on from where a watch was cut without listing again", async () => {
    const following = start();
    const { clock, cluster, changes, asked } = following;
    putSecret(following, "a");
    await clock.advance(0);
    const before = asked();
    cluster.breakWatches("cut");
    putSecret(following, "b");
    await clock.advance(10_000);
    // One request more, the watch.
    expect(asked()).toBe(before + 1);
    expect(changes).toEqual(["added a=", "added b="]);
  });

  it("keeps the same value for an object that a list finds unchanged", async () => {
    const clock = new FakeClock();
    const { api, cluster } = fakeKubernetes({ clock });
    putSecret({ cluster }, "a");
    const options = { resource: secrets, query: {}, pick: (secret: Secret) => ({ name: secret.metadata.name }) };
    const copy = mirror(api, options, { clock, random: seededRandom(1) });
    const stop = new AbortController();
    const running = copy.task.run(stop.signal);
    await clock.advance(0);
    const [before] = copy.values();
    cluster.breakWatches("gone");
    await clock.advance(1_000);
    expect([...copy.values()][0]).toBe(before);
    stop.abort();
    await running;
  });

  it("holds what was picked and nothing else", async () => {
    const following = start();
    const { clock, copy } = following;
    putSecret(following, "a", { value: "c2VjcmV0" });
    await clock.advance(0);
    expect([...copy.values()]).toEqual(["a=c2VjcmV0"]);
  });

  it("tells nothing twice when it goes on", async () => {
    const following = start();
    const { clock, cluster, changes } = following;
    await clock.advance(0);
    putSecret(following, "a");
    await clock.advance(0);
    deleteSecret(following, "a");
    await clock.advance(0);
    cluster.breakWatches("cut");
    await clock.advance(10_000);
    expect(changes).toEqual(["added a=", "deleted a="]);
  });

  it("follows what begins and ceases to be selected", async () => {
    const following = start({ labelSelector: "chosen=yes" });
    const { clock, held } = following;
    await clock.advance(0);
    putSecret(following, "a", { labels: { chosen: "yes" } });
    putSecret(following, "b", { labels: { chosen: "no" } });
    await clock.advance(0);
    expect(held()).toEqual(["a="]);
    putSecret(following, "a", { labels: { chosen: "no" } });
    putSecret(following, "b", { labels: { chosen: "yes" } });
    await clock.advance(0);
    expect(held()).toEqual(["b="]);
  });

  it("ends with the signal, is not synced any more, and leaves no timer", async () => {
    const { clock, cluster, copy, stop } = start();
    await clock.advance(0);
    await stop();
    await clock.advance(0);
    expect(copy.synced()).toBe(false);
    expect(cluster.watchCount).toBe(0);
    expect(clock.sleepers()).toBe(0);
  });

  it("ends its task with what a listener throws, and calls no listener that was taken back", async () => {
    const following = start();
    const { clock, copy, changes, running } = following;
    await clock.advance(0);
    const stopListening = copy.onChange(() => void changes.push("never"));
    stopListening();
    copy.onChange(() => {
      throw new KubernetesError("unavailable", "listener broke");
    });
    putSecret(following, "a");
    const failure = expect(running).rejects.toThrow("listener broke");
    await clock.advance(0);
    await failure;
    expect(copy.synced()).toBe(false);
    expect(changes).toEqual(["added a="]);
  });
});

import { FakeClock, seededRandom } from "@signet/runtime/testing";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { KubernetesError, type Mirror, type MirrorChange, mirror, resources, type Secret } from "./index.ts";
import { type FakeCluster, type FakeFault, fakeKubernetes, type WatchBreak } from "./testing.ts";

const { secrets } = resources;
const stops: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

type Following = {
  readonly clock: FakeClock;
  readonly cluster: FakeCluster;
  readonly copy: Mirror<string>;
  readonly changes: string[];
  running: Promise<void>;
  stop(): Promise<void>;
};

function follow(
  options: { readonly seed?: number; readonly labelSelector?: string; readonly fault?: FakeFault } = {},
): Following {
  const clock = new FakeClock();
  const { api, cluster } = fakeKubernetes({ clock });
  cluster.setFault(options.fault);
  const query = { namespace: "default", ...(options.labelSelector && { labelSelector: options.labelSelector }) };
  const pick = ({ metadata, data }: Secret): string => `${metadata.name}=${data?.value ?? ""}`;
  const copy = mirror(api, { resource: secrets, query, pick }, { clock, random: seededRandom(options.seed ?? 1) });
  const changes: string[] = [];
  copy.onChange(({ kind, value }: MirrorChange<string>) => void changes.push(`${kind} ${value}`));
  const stopping = new AbortController();
  const running = copy.task.run(stopping.signal);
  const stop = async (): Promise<void> => {
    stopping.abort();
    await running.catch(() => undefined);
  };
  stops.push(stop);
  return { clock, cluster, copy, changes, running, stop };
}

function put(cluster: FakeCluster, name: string, value = "", labels?: Record<string, string>): void {
  const metadata = { namespace: "default", name, ...(labels && { labels }) };
  cluster.put(secrets, { metadata, data: { value } });
}

function truth(cluster: FakeCluster): readonly string[] {
  return cluster
    .all(secrets)
    .filter(({ metadata }) => metadata.namespace === "default")
    .map(({ metadata, data }) => `${metadata.name}=${data?.value ?? ""}`);
}

function held({ copy }: Following): readonly string[] {
  return [...copy.values()].sort();
}

function lists({ cluster }: Following): number {
  return cluster.requests.filter(({ method }) => method === "GET").length;
}

describe("mirror", () => {
  it("is synced once it holds the whole list, and follows every change", async () => {
    const following = follow();
    const { clock, cluster, copy, changes } = following;
    put(cluster, "a", "MQ==");
    expect(copy.synced()).toBe(false);
    await clock.advance(0);
    expect(copy.synced()).toBe(true);
    put(cluster, "a", "Mg==");
    put(cluster, "b", "Mw==");
    cluster.delete(secrets, { namespace: "default", name: "a" });
    await clock.advance(0);
    expect(changes).toEqual(["added a=MQ==", "modified a=Mg==", "added b=Mw==", "deleted a=Mg=="]);
    expect(held(following)).toEqual(["b=Mw=="]);
    expect(copy.get({ namespace: "default", name: "b" })).toBe("b=Mw==");
    expect(copy.get({ namespace: "other", name: "b" })).toBeUndefined();
    expect(copy.changes.current()).toEqual({ version: 4, synced: true });
  });

  it("sees what was deleted, changed and replaced while it did not look", async () => {
    const following = follow();
    const { clock, cluster, changes } = following;
    for (const name of ["a", "b", "c", "d"]) put(cluster, name);
    await clock.advance(0);
    changes.length = 0;
    cluster.setFault({ kind: "reset" });
    cluster.breakWatches("cut");
    await clock.advance(0);
    cluster.delete(secrets, { namespace: "default", name: "a" });
    put(cluster, "b", "Mg==");
    cluster.delete(secrets, { namespace: "default", name: "c" });
    put(cluster, "c", "Mw==");
    cluster.forgetHistory();
    cluster.setFault(undefined);
    await clock.advance(20_000);
    expect(changes.sort()).toEqual(["added c=Mw==", "deleted a=", "deleted c=", "modified b=Mg=="]);
    expect(held(following)).toEqual(truth(cluster));
  });

  it("goes on from where a watch was cut without listing again", async () => {
    const following = follow();
    const { clock, cluster, changes } = following;
    put(cluster, "a");
    await clock.advance(0);
    const before = lists(following);
    cluster.breakWatches("cut");
    put(cluster, "b");
    await clock.advance(10_000);
    // One request more, the watch.
    expect(lists(following)).toBe(before + 1);
    expect(changes).toEqual(["added a=", "added b="]);
  });

  it("keeps the same value for an object that a list finds unchanged", async () => {
    const clock = new FakeClock();
    const { api, cluster } = fakeKubernetes({ clock });
    put(cluster, "a");
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
    const { clock, cluster, copy } = follow();
    put(cluster, "a", "c2VjcmV0");
    await clock.advance(0);
    expect([...copy.values()]).toEqual(["a=c2VjcmV0"]);
  });

  it.each<[WatchBreak]>([["end"], ["cut"], ["gone"], ["error"]])("gets over a watch that ends by %s", async (how) => {
    const following = follow();
    const { clock, cluster, copy } = following;
    await clock.advance(0);
    for (let round = 0; round < 3; round += 1) {
      cluster.breakWatches(how);
      put(cluster, `a${round}`);
      await clock.advance(10_000);
      expect(held(following)).toEqual(truth(cluster));
      expect(copy.synced()).toBe(true);
    }
    await clock.advance(40_000);
    expect(copy.changes.current()?.error).toBeUndefined();
  });

  it("notices a watch behind which nobody is, and lists again", async () => {
    const following = follow();
    const { clock, cluster, copy } = following;
    await clock.advance(0);
    cluster.breakWatches("silent");
    put(cluster, "a");
    await clock.advance(44_000);
    expect(held(following)).toEqual([]);
    await clock.advance(2_000);
    expect(held(following)).toEqual(["a="]);
    expect(copy.synced()).toBe(true);
  });

  it("is not synced a minute after the server was last heard of, until it is back", async () => {
    const following = follow();
    const { clock, cluster, copy } = following;
    await clock.advance(0);
    cluster.setFault({ kind: "half-open" });
    cluster.breakWatches("cut");
    await clock.advance(59_000);
    expect(copy.synced()).toBe(true);
    await clock.advance(1_000);
    expect(copy.synced()).toBe(false);
    expect(copy.changes.current()?.error?.code).toBe("deadline-exceeded");
    put(cluster, "a");
    await clock.advance(600_000);
    expect(copy.synced()).toBe(false);
    expect(held(following)).toEqual([]);
    cluster.setFault(undefined);
    await clock.advance(20_000);
    expect(copy.synced()).toBe(true);
    expect(held(following)).toEqual(["a="]);
    expect(copy.changes.current()).toEqual({ version: 1, synced: true });
  });

  it("does not take it for a sign of life that watches open", async () => {
    const { clock, cluster, copy } = follow();
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
    const following = follow();
    const { clock, cluster, copy } = following;
    await clock.advance(0);
    cluster.setFault({ kind: "reset" });
    cluster.breakWatches("cut");
    await clock.advance(45_000);
    cluster.setFault(undefined);
    await clock.advance(14_999);
    const asked = lists(following);
    await clock.advance(1);
    expect(lists(following)).toBe(asked);
    expect(copy.synced()).toBe(false);
    await clock.advance(10_000);
    expect(copy.synced()).toBe(true);
  });

  it("tells nothing twice when it goes on", async () => {
    const { clock, cluster, changes } = follow();
    await clock.advance(0);
    put(cluster, "a");
    await clock.advance(0);
    cluster.delete(secrets, { namespace: "default", name: "a" });
    await clock.advance(0);
    cluster.breakWatches("cut");
    await clock.advance(10_000);
    expect(changes).toEqual(["added a=", "deleted a="]);
  });

  it("forgets what went wrong once the server is heard of", async () => {
    const { clock, cluster, copy } = follow();
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
    const following = follow();
    const { clock, cluster, copy } = following;
    await clock.advance(0);
    for (let failure = 0; failure < 10; failure += 1) {
      cluster.breakWatches("cut");
      await clock.advance(failure === 9 ? 0 : 5_000);
    }
    expect(copy.changes.current()?.error?.code).toBe("unavailable");
    await clock.advance(100_000);
    expect(copy.changes.current()).toEqual({ version: 0, synced: true });
    const asked = lists(following);
    cluster.breakWatches("cut");
    await clock.advance(200);
    expect(lists(following)).toBe(asked + 1);
  });

  it("stays synced while nothing happens, with one watch and one look at the present each 40 seconds", async () => {
    const following = follow();
    const { clock, cluster, copy } = following;
    await clock.advance(0);
    const before = lists(following);
    let lapses = 0;
    for (let second = 0; second < 400; second += 1) {
      await clock.advance(1_000);
      if (!copy.synced()) lapses += 1;
    }
    expect(lapses).toBe(0);
    expect(lists(following) - before).toBe(20);
    expect(cluster.watchCount).toBe(1);
  });

  it("notices a server that went back behind what it had told", async () => {
    const following = follow();
    const { clock, cluster, copy } = following;
    put(cluster, "a");
    await clock.advance(0);
    cluster.turnBack(50);
    // Nobody is told of this: the watch waits for a version that is long to come.
    cluster.delete(secrets, { namespace: "default", name: "a" });
    await clock.advance(39_000);
    expect(held(following)).toEqual(["a="]);
    await clock.advance(3_000);
    expect(held(following)).toEqual([]);
    expect(copy.synced()).toBe(true);
  });

  it("waits as long as the server asks", async () => {
    const following = follow();
    const { clock, cluster } = following;
    await clock.advance(0);
    cluster.setFault({ kind: "status", status: 429, retryAfterSeconds: 30 });
    cluster.breakWatches("cut");
    await clock.advance(1_000);
    const asked = lists(following);
    await clock.advance(29_000);
    expect(lists(following)).toBe(asked);
    await clock.advance(31_000);
    expect(lists(following)).toBeGreaterThan(asked);
  });

  it("waits no longer than a minute, whatever the server asks", async () => {
    const following = follow();
    const { clock, cluster } = following;
    await clock.advance(0);
    cluster.setFault({ kind: "status", status: 503, retryAfterSeconds: 3_600 });
    cluster.breakWatches("cut");
    await clock.advance(1_000);
    const asked = lists(following);
    await clock.advance(60_000);
    expect(lists(following)).toBe(asked + 1);
  });

  it.each([
    ["ends every watch at once", (cluster: FakeCluster) => cluster.breakWatches("end")],
    ["answers every watch with 410", (cluster: FakeCluster) => cluster.breakWatches("gone")],
  ])("does not hurry when the server %s", async (_, disturb) => {
    const following = follow();
    const { clock, cluster } = following;
    await clock.advance(0);
    for (let step = 0; step < 600; step += 1) {
      disturb(cluster);
      await clock.advance(100);
    }
    // Two requests for a round at most, and rounds that soon are 5 seconds apart on average.
    expect(lists(following)).toBeLessThan(80);
  });

  it.each([401, 403, 404, 500, 503])(
    "keeps what it has while the server answers %i, and gets over it",
    async (status) => {
      const following = follow();
      const { clock, cluster, copy } = following;
      put(cluster, "a");
      await clock.advance(0);
      cluster.setFault({ kind: "status", status });
      cluster.breakWatches("cut");
      put(cluster, "b");
      await clock.advance(30_000);
      expect(held(following)).toEqual(["a="]);
      expect(copy.changes.current()?.error?.status).toBe(status);
      cluster.setFault(undefined);
      await clock.advance(11_000);
      expect(held(following)).toEqual(["a=", "b="]);
      expect(copy.synced()).toBe(true);
    },
  );

  it.each(["garbage", "truncated"] as const)("takes nothing from an answer that is %s", async (kind) => {
    const following = follow({ fault: { kind } });
    const { clock, cluster, copy } = following;
    put(cluster, "a");
    await clock.advance(30_000);
    expect(copy.synced()).toBe(false);
    expect(held(following)).toEqual([]);
    cluster.setFault(undefined);
    await clock.advance(11_000);
    expect(held(following)).toEqual(["a="]);
  });

  it("follows what begins and ceases to be selected", async () => {
    const following = follow({ labelSelector: "chosen=yes" });
    const { clock, cluster } = following;
    await clock.advance(0);
    put(cluster, "a", "", { chosen: "yes" });
    put(cluster, "b", "", { chosen: "no" });
    await clock.advance(0);
    expect(held(following)).toEqual(["a="]);
    put(cluster, "a", "", { chosen: "no" });
    put(cluster, "b", "", { chosen: "yes" });
    await clock.advance(0);
    expect(held(following)).toEqual(["b="]);
  });

  it("ends with the signal, is not synced any more, and leaves no timer", async () => {
    const { clock, cluster, copy, stop } = follow();
    await clock.advance(0);
    await stop();
    await clock.advance(0);
    expect(copy.synced()).toBe(false);
    expect(cluster.watchCount).toBe(0);
    expect(clock.sleepers()).toBe(0);
  });

  it("ends its task with what a listener throws, and calls no listener that was taken back", async () => {
    const { clock, cluster, copy, running, changes } = follow();
    await clock.advance(0);
    const stopListening = copy.onChange(() => void changes.push("never"));
    stopListening();
    copy.onChange(() => {
      throw new KubernetesError("unavailable", "listener broke");
    });
    put(cluster, "a");
    const failure = expect(running).rejects.toThrow("listener broke");
    await clock.advance(0);
    await failure;
    expect(copy.synced()).toBe(false);
    expect(changes).toEqual(["added a="]);
  });
});

type Step =
  | { readonly kind: "put"; readonly name: string; readonly value: string }
  | { readonly kind: "delete"; readonly name: string }
  | { readonly kind: "break"; readonly how: WatchBreak }
  | { readonly kind: "forget" | "bookmark" | "heal" }
  | { readonly kind: "back"; readonly revisions: number }
  | { readonly kind: "fault"; readonly fault: "reset" | "half-open" | "garbage" | "truncated" | 429 | 500 }
  | { readonly kind: "wait"; readonly ms: number };

const name = fc.constantFrom("a", "b", "c", "d");
const steps = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ kind: fc.constant("put" as const), name, value: fc.constantFrom("MQ==", "Mg==") }),
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("delete" as const), name }) },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant("break" as const),
        how: fc.constantFrom<WatchBreak>("end", "cut", "gone", "error", "silent"),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constantFrom("forget" as const, "bookmark" as const, "heal" as const) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant("back" as const), revisions: fc.integer({ min: 60, max: 90 }) }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant("fault" as const),
        fault: fc.constantFrom(
          "reset" as const,
          "half-open" as const,
          "garbage" as const,
          "truncated" as const,
          429 as const,
          500 as const,
        ),
      }),
    },
    {
      weight: 5,
      arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.integer({ min: 0, max: 30_000 }) }),
    },
  ),
  { maxLength: 40 },
);

async function take({ clock, cluster }: Following, step: Step): Promise<void> {
  switch (step.kind) {
    case "put":
      return put(cluster, step.name, step.value);
    case "delete":
      return cluster.delete(secrets, { namespace: "default", name: step.name });
    case "break":
      return cluster.breakWatches(step.how);
    case "forget":
      return cluster.forgetHistory();
    case "bookmark":
      return cluster.sendBookmarks();
    case "heal":
      return cluster.setFault(undefined);
    case "back":
      return cluster.turnBack(step.revisions);
    case "fault":
      return cluster.setFault(
        typeof step.fault === "number" ? { kind: "status", status: step.fault } : { kind: step.fault },
      );
    case "wait":
      return clock.advance(step.ms);
  }
}

describe("mirror, whatever happens", () => {
  it("equals the server's state once all is quiet, and was told of exactly the changes between", async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.integer(), async (script, seed) => {
        const following = follow({ seed });
        for (const step of script) await take(following, step);
        following.cluster.setFault(undefined);
        // Two minutes: one for silence to be noticed, the rest for a watch to end and backoff.
        await following.clock.advance(120_000);
        expect(following.copy.synced()).toBe(true);
        expect(held(following)).toEqual(truth(following.cluster));
        expect(replay(following.changes)).toEqual(truth(following.cluster));
        await following.stop();
      }),
      { numRuns: 300 },
    );
  });
});

/** What somebody holds who began with nothing and did as the listeners were told. */
function replay(changes: readonly string[]): readonly string[] {
  const objects = new Map<string, string>();
  for (const change of changes) {
    const [kind = "", value = ""] = change.split(" ");
    const key = value.split("=", 1)[0] ?? "";
    expect(objects.has(key)).toBe(kind !== "added");
    if (kind === "deleted") {
      expect(objects.get(key)).toBe(value);
      objects.delete(key);
    } else {
      objects.set(key, value);
    }
  }
  return [...objects.values()].sort();
}

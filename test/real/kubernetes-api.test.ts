import { type ConfigMap, connectCluster, type KubernetesApi, type Mirror, mirror, resources } from "@signet/kubernetes";
import { kubernetesApiSuite } from "@signet/kubernetes/testing";
import { systemClock } from "@signet/runtime";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Fault, type FaultProxy, startFaultProxy } from "./support/fault-proxy.ts";
import { findTestKube, type KubeServer } from "./support/kube-server.ts";

const kube = await findTestKube();
const { configMaps, namespaces } = resources;
const never = new AbortController().signal;
const limits = { deadlineMs: 2_000, watchSeconds: 6 };

describe.skipIf(kube.skipped)(`the real API server ${kube.skipped}`, () => {
  let server: KubeServer;

  beforeAll(async () => {
    server = await kube.start();
  });

  afterAll(() => server?.close());

  kubernetesApiSuite(
    { describe, it },
    {
      name: "kube-apiserver",
      connect: (bounds) =>
        connectCluster(
          { kind: "kubeconfig-file", path: server.kubeconfigPath },
          { clock: systemClock, ...(bounds && { limits: bounds }) },
        ),
    },
  );

  describe("behind a proxy that misbehaves", () => {
    let proxy: FaultProxy;
    let direct: KubernetesApi;
    let api: KubernetesApi;
    let following: Following;

    beforeAll(async () => {
      const { hostname, port } = new URL(server.url);
      proxy = await startFaultProxy({ host: hostname, port: Number(port) });
      const text = server.kubeconfigText;
      direct = await connectCluster({ kind: "kubeconfig-text", text }, { clock: systemClock });
      const proxied = text.replace(server.url, `https://${hostname}:${proxy.port}`);
      api = await connectCluster({ kind: "kubeconfig-text", text: proxied }, { clock: systemClock, limits });
      following = await follow(direct, api, "behind-a-proxy");
      await following.agrees();
    });

    afterAll(async () => {
      await following?.stop();
      api?.close();
      direct?.close();
      await proxy?.close();
    });

    const cases: readonly [Fault, readonly string[]][] = [
      [{ kind: "latency", ms: 300 }, ["done", "deadline-exceeded"]],
      [{ kind: "half-open" }, ["deadline-exceeded"]],
      [{ kind: "reset" }, ["unavailable"]],
      [{ kind: "reset", afterBytes: 2_000 }, ["unavailable", "done"]],
      [{ kind: "truncate", afterBytes: 2_000 }, ["unavailable", "done"]],
      [{ kind: "garbage" }, ["unavailable"]],
    ];

    it.each(cases)("fails in time and comes back by itself: %o", async (fault, expected) => {
      proxy.set(fault);
      for (let call = 0; call < 3; call += 1) {
        const outcome = await api.list(namespaces, {}, never).then(
          () => "done",
          (error) => error.code,
        );
        expect(expected).toContain(outcome);
      }
      await following.write();
      proxy.set({ kind: "pass" });
      expect((await api.list(namespaces, {}, never)).items.length).toBeGreaterThan(3);
      await following.agrees();
    });
  });

  describe.skipIf(kube.skippedOwn)(`that stops ${kube.skippedOwn}`, () => {
    let api: KubernetesApi;
    let following: Following;

    beforeAll(async () => {
      const source = { kind: "kubeconfig-file", path: server.kubeconfigPath } as const;
      api = await connectCluster(source, { clock: systemClock, limits });
      following = await follow(api, api, "that-stops");
      await following.agrees();
    });

    afterAll(async () => {
      await following?.stop();
      api?.close();
    });

    it("is not believed any more when it hangs, and believed again when it goes on", async () => {
      server.own?.pause();
      // All its threads stop soon, but not in this moment.
      await expect(untilFails(() => api.list(namespaces, {}, never))).rejects.toMatchObject({
        code: "deadline-exceeded",
      });
      await until(() => !following.copy.synced());
      expect(following.copy.changes.current()?.error?.code).toBe("deadline-exceeded");
      server.own?.resume();
      await until(() => following.copy.synced());
      await following.write();
      await following.agrees();
    });

    it("is found again after it was killed, by a mirror too, and knows older versions no more", async () => {
      const { resourceVersion } = await api.list(configMaps, { namespace: "that-stops" }, never);
      await following.write();
      await server.own?.kill();
      await expect(api.list(namespaces, {}, never)).rejects.toMatchObject({ code: "unavailable" });
      await server.own?.start();
      await following.write();
      await following.agrees();
      const watch = api.watch(configMaps, { namespace: "that-stops", resourceVersion }, never);
      await expect(drain(watch)).rejects.toMatchObject({ code: "gone" });
    });
  });
});

type Following = {
  readonly copy: Mirror<string>;
  /** Changes, creates and deletes something, past whatever is wrong on the mirror's way. */
  write(): Promise<void>;
  /** Resolves once the mirror holds what the server does. */
  agrees(): Promise<void>;
  stop(): Promise<void>;
};

/** A mirror over `watched` of a namespace in which things happen by way of `direct`. */
async function follow(direct: KubernetesApi, watched: KubernetesApi, namespace: string): Promise<Following> {
  await direct.create(namespaces, { metadata: { name: namespace } }, never);
  const pick = ({ metadata, data }: ConfigMap): string => `${metadata.name} ${data?.round}`;
  const options = { resource: configMaps, query: { namespace }, pick, staleAfterMs: 10_000 };
  const copy = mirror(watched, options, { clock: systemClock, random: Math.random });
  const stopping = new AbortController();
  const running = copy.task.run(stopping.signal);
  let round = 0;
  return {
    copy,
    async write() {
      round += 1;
      const data = { round: String(round) };
      await direct.create(configMaps, { metadata: { namespace, name: `a${round}` }, data }, never);
      await direct.remove(configMaps, { namespace, name: `a${round - 2}` }, never);
      if (round > 1) {
        await direct.mergePatch(configMaps, { namespace, name: `a${round - 1}`, patch: { data } }, never);
      }
    },
    async agrees() {
      const { items } = await direct.list(configMaps, { namespace }, never);
      const truth = items.map(pick).sort().join();
      await until(() => copy.synced() && [...copy.values()].sort().join() === truth);
    },
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

async function until(condition: () => boolean): Promise<void> {
  const startedAt = performance.now();
  while (!condition()) {
    if (performance.now() - startedAt > 60_000) throw new Error("not within a minute");
    await new Promise((resolve) => void setTimeout(resolve, 50));
  }
}

/** Makes the call until it fails, and fails as it does. */
async function untilFails(call: () => Promise<unknown>): Promise<never> {
  for (;;) await call();
}

async function drain(events: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of events);
}

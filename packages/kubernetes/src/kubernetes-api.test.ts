import { systemClock } from "@signet/runtime";
import { afterAll, beforeAll, describe, it } from "vitest";
import { connectCluster } from "./connect-cluster.ts";
import { type FakeApiServer, FakeCluster, fakeKubernetes, kubernetesApiSuite, startFakeApiServer } from "./testing.ts";

const cluster = new FakeCluster("https://cluster.fake", systemClock);

kubernetesApiSuite(
  { describe, it },
  {
    name: "the fake in process",
    connect: async (limits) => fakeKubernetes({ clock: systemClock, cluster, ...(limits && { limits }) }).api,
  },
);

let server: FakeApiServer;

beforeAll(async () => {
  server = await startFakeApiServer();
});

afterAll(() => server.stop());

kubernetesApiSuite(
  { describe, it },
  {
    name: "the fake over HTTPS",
    connect: (limits) =>
      connectCluster(
        { kind: "kubeconfig-text", text: server.kubeconfig() },
        { clock: systemClock, ...(limits && { limits }) },
      ),
  },
);

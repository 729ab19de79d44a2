import { connectCluster } from "@signet/kubernetes";
import { kubernetesApiSuite } from "@signet/kubernetes/testing";
import { systemClock } from "@signet/runtime";
import { afterAll, beforeAll, describe, it } from "vitest";
import { findTestKube, type KubeServer } from "./support/kube-server.ts";

const kube = await findTestKube();

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
      connect: (limits) =>
        connectCluster(
          { kind: "kubeconfig-file", path: server.kubeconfigPath },
          { clock: systemClock, ...(limits && { limits }) },
        ),
    },
  );
});

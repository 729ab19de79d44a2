import type { AuthenticationResult, IndexedPod, PodIndex } from "@signet/ca";
import { fakeAuthenticator } from "@signet/ca/testing";
import { Status } from "@signet/grpc";
import { parseSpiffeId } from "@signet/spiffe";
import { describe, expect, it } from "vitest";
import { type BenchAnswer, type BenchCall, callCertificateService } from "./testing/certificate-bench.ts";

const ztunnel = parseSpiffeId("spiffe://cluster.local/ns/istio-system/sa/ztunnel");
const backend = "spiffe://cluster.local/ns/demo/sa/backend";
const proxyPod: IndexedPod = {
  ...{ namespace: "istio-system", name: "ztunnel-1", uid: "p1", serviceAccount: "ztunnel" },
  ...{ nodeName: "node-1", phase: "Running" },
};
const proxy: AuthenticationResult = {
  kind: "authenticated",
  caller: {
    spiffeId: ztunnel,
    source: "token",
    kubernetes: {
      ...{ namespace: "istio-system", serviceAccount: "ztunnel", podName: "ztunnel-1", podUid: "p1" },
      clusterId: "Kubernetes",
    },
  },
};
const pods: PodIndex = {
  ready: () => true,
  pod: (_, name) => (name === proxyPod.name ? proxyPod : undefined),
  podsOn: (nodeName, namespace, serviceAccount) =>
    serviceAccount === "backend" ? [{ ...proxyPod, nodeName, namespace, serviceAccount, name: "backend-1" }] : [],
};

/** The proxy names somebody, or whatever else it puts there. */
function ask(identity: NonNullable<BenchCall["metadata"]>[string], index: PodIndex = pods): Promise<BenchAnswer> {
  return callCertificateService({
    authenticators: [fakeAuthenticator("kubernetes-token", proxy)],
    impersonation: { trustedNodeAccounts: new Set(["istio-system/ztunnel"]), podIndexOf: () => index },
    metadata: { ImpersonatedIdentity: identity },
  });
}

describe("a node proxy", () => {
  it("gets the certificate of a workload on its node, and the log says whose and for whom", async () => {
    const { leaf, log } = await ask(backend);
    expect(leaf?.subjectAltNames).toEqual([{ kind: "uri", value: backend }]);
    expect(log).toMatchObject([
      { message: "certificate issued", fields: { spiffeId: backend, impersonator: ztunnel } },
    ]);
  });

  it("gets its own certificate when it names nobody", async () => {
    expect((await ask("")).leaf?.subjectAltNames).toEqual([{ kind: "uri", value: ztunnel }]);
  });

  it("is told nothing of why it may not, and the log everything", async () => {
    const requested = "spiffe://cluster.local/ns/demo/sa/frontend";
    const { code, message, log } = await ask(requested);
    expect([code, message]).toEqual([Status.UNAUTHENTICATED, "request impersonation authentication failure"]);
    expect(log).toMatchObject([
      {
        level: "warn",
        message: "impersonation refused",
        fields: {
          ...{ spiffeId: ztunnel, requested, reason: "workload-not-on-node" },
          ...{ clusterId: "Kubernetes", podName: "ztunnel-1" },
        },
      },
    ]);
  });

  it.each([[7], [true], [null], [["a"]], [{ a: "b" }]])("may not name %j", async (identity) => {
    const { code, log, leaf } = await ask(identity);
    expect(code).toBe(Status.UNAUTHENTICATED);
    expect(log).toMatchObject([{ fields: { reason: "identity-malformed" } }]);
    expect(leaf).toBeUndefined();
  });

  it("is asked to come back while pods are not known", async () => {
    const { code, message, counted } = await ask(backend, { ...pods, ready: () => false });
    expect(code).toBe(Status.UNAVAILABLE);
    expect(message).toBe("request impersonation authentication is not available now");
    expect(counted).toContain("authentication_failure_count");
  });

  it("cannot fill the log with what it asks for", async () => {
    expect(JSON.stringify((await ask("x".repeat(100_000))).log).length).toBeLessThan(2_000);
  });
});

import type { IndexedPod, PodIndex } from "@signet/ca";
import { FakeClock } from "@signet/runtime/testing";
import { parseTrustDomain } from "@signet/spiffe";
import { createKubernetesTokenAuthenticator } from "../authenticators/kubernetes-token.ts";
import { createClusterDirectory } from "../clusters/cluster-directory.ts";
import type { TokenChecker } from "../clusters/token-checker.ts";
import { createTokenReviewer } from "../clusters/token-reviewer.ts";
import type { TrustDomains } from "../trust-domains.ts";
import type { BenchCall } from "./certificate-bench.ts";

const clock = new FakeClock();

/** The mesh's trust domain, and what it was called before. */
export const meshTrustDomains: TrustDomains = {
  trustDomain: parseTrustDomain("cluster.local"),
  trustDomainAliases: new Set([parseTrustDomain("old.example")]),
};

export const workload: IndexedPod = {
  ...{ namespace: "demo", name: "backend-1", uid: "w", serviceAccount: "backend" },
  ...{ nodeName: "node-1", phase: "Running" },
};
export const proxyPod: IndexedPod = {
  ...{ namespace: "istio-system", name: "ztunnel-1", uid: "z", serviceAccount: "ztunnel" },
  ...{ nodeName: "node-1", phase: "Running" },
};

export function podsOf(...pods: IndexedPod[]): PodIndex {
  return {
    ready: () => true,
    pod: (namespace, name) => pods.find((pod) => pod.namespace === namespace && pod.name === name),
    podsOn: (node, namespace, account) =>
      pods.filter((pod) => pod.nodeName === node && pod.namespace === namespace && pod.serviceAccount === account),
  };
}

/** The API server's word for a node proxy's token, in any cluster. */
export function proxyTokens(audiences: readonly string[] = ["istio-ca"]): TokenChecker {
  const api = {
    reviewToken: async () => ({
      authenticated: true,
      audiences,
      user: {
        ...{ username: "system:serviceaccount:istio-system:ztunnel", uid: "s", groups: ["system:serviceaccounts"] },
        extra: new Map([
          ["authentication.kubernetes.io/pod-name", ["ztunnel-1"]],
          ["authentication.kubernetes.io/pod-uid", ["z"]],
        ]),
      },
    }),
  };
  return createTokenReviewer({ api, audiences: ["istio-ca"], cacheTtlMs: 0 }, clock);
}

export function impersonating(identity: string, pods: PodIndex, headers: Record<string, string> = {}): BenchCall {
  const east = { id: "east", tokens: proxyTokens(), pods, tasks: [] };
  const clusters = createClusterDirectory({
    primary: { id: "Kubernetes", tokens: proxyTokens(), pods, tasks: [] },
    aliases: new Map([
      ["home", "Kubernetes"],
      ["orient", "east"],
    ]),
    remote: { get: (id) => (id === "east" ? east : undefined), ids: () => ["east"], complete: () => true },
  });
  return {
    authenticators: [createKubernetesTokenAuthenticator({ ...meshTrustDomains, clusters })],
    impersonation: {
      ...meshTrustDomains,
      trustedNodeAccounts: new Set(["istio-system/ztunnel"]),
      podIndexOf: (id) => clusters.podsOf(id),
    },
    metadata: { ImpersonatedIdentity: identity },
    headers: { authorization: "Bearer a.b.c", ...headers },
    clock,
  };
}

export const backend = "spiffe://cluster.local/ns/demo/sa/backend";

import { parseSpiffeId, parseTrustDomain } from "@signet/spiffe";
import { describe, expect, it } from "vitest";
import type { Caller } from "./caller.ts";
import {
  authorizeImpersonation,
  type ImpersonationOutcome,
  type ImpersonationPolicy,
  type IndexedPod,
} from "./impersonation.ts";
import { podIndex } from "./testing/pod-index.ts";

const trustDomain = parseTrustDomain("cluster.local");
const alias = parseTrustDomain("old.example");
const proxyId = parseSpiffeId("spiffe://cluster.local/ns/istio-system/sa/ztunnel");
const workload = "spiffe://cluster.local/ns/demo/sa/frontend";

const proxyPod: IndexedPod = {
  namespace: "istio-system",
  name: "ztunnel-x7k2p",
  uid: "5f0c",
  serviceAccount: "ztunnel",
  nodeName: "node-1",
  phase: "Running",
};
const workloadPod: IndexedPod = {
  namespace: "demo",
  name: "frontend-1",
  uid: "77aa",
  serviceAccount: "frontend",
  nodeName: "node-1",
  phase: "Running",
};

const kubernetes = {
  namespace: "istio-system",
  serviceAccount: "ztunnel",
  podName: "ztunnel-x7k2p",
  podUid: "5f0c",
  clusterId: "Kubernetes",
};
const proxy: Caller = { spiffeId: proxyId, source: "token", kubernetes };

function policyOver(pods: readonly IndexedPod[], change: Partial<ImpersonationPolicy> = {}): ImpersonationPolicy {
  return {
    trustedNodeAccounts: new Set(["istio-system/ztunnel"]),
    trustDomain,
    trustDomainAliases: new Set([alias]),
    podIndexOf: (clusterId) => (clusterId === "Kubernetes" ? podIndex(pods) : undefined),
    ...change,
  };
}

const permitted = { kind: "permitted", caller: { spiffeId: workload, source: "token", impersonator: proxyId } };

/** How the good case is changed: everything not named stays good. */
type Case = {
  readonly name: string;
  readonly caller?: Partial<Caller>;
  readonly claims?: Partial<NonNullable<Caller["kubernetes"]>>;
  readonly requested?: string;
  readonly proxyPod?: Partial<IndexedPod>;
  readonly workloadPod?: Partial<IndexedPod>;
  readonly pods?: readonly IndexedPod[];
  readonly policy?: Partial<ImpersonationPolicy>;
};

function decide(change: Case): ImpersonationOutcome {
  const caller = { ...proxy, kubernetes: { ...kubernetes, ...change.claims }, ...change.caller };
  const pods = change.pods ?? [
    { ...proxyPod, ...change.proxyPod },
    { ...workloadPod, ...change.workloadPod },
  ];
  return authorizeImpersonation({ caller, requested: change.requested ?? workload }, policyOver(pods, change.policy));
}

describe("authorizeImpersonation permits", () => {
  it.each<Case>([
    { name: "a workload on the proxy's node" },
    { name: "a workload that is about to start", workloadPod: { phase: "Pending" } },
    { name: "a proxy that is about to run", proxyPod: { phase: "Pending" } },
    { name: "a token that is bound to the node", claims: { nodeName: "node-1" } },
    {
      name: "an account with one pod that runs among pods that have ended",
      pods: [proxyPod, { ...workloadPod, name: "frontend-0", phase: "Succeeded" }, workloadPod],
    },
    {
      name: "an identity under an alias, issued under our own trust domain",
      requested: `spiffe://${alias}/ns/demo/sa/frontend`,
    },
    { name: "a mesh without aliases", policy: { trustDomainAliases: new Set() } },
  ])("$name", (change) => {
    expect(decide(change)).toEqual(permitted);
  });

  it("the proxy's own identity, to a pod of its own", () => {
    expect(decide({ name: "", requested: proxyId })).toMatchObject({
      kind: "permitted",
      caller: { spiffeId: proxyId },
    });
  });

  it("a caller of a cluster by the pods of that cluster alone", () => {
    const elsewhere = { ...workloadPod, serviceAccount: "other" };
    const policy = policyOver([], {
      podIndexOf: (id) => (id === "remote" ? podIndex([proxyPod, elsewhere]) : podIndex([proxyPod, workloadPod])),
    });
    const caller = { ...proxy, kubernetes: { ...kubernetes, clusterId: "remote" } };
    const ask = (requested: string) => authorizeImpersonation({ caller, requested }, policy);
    expect(ask(workload)).toMatchObject({ kind: "refused", reason: "workload-not-on-node" });
    expect(ask("spiffe://cluster.local/ns/demo/sa/other")).toMatchObject({ kind: "permitted" });
  });
});

describe("authorizeImpersonation refuses", () => {
  it.each<Case & { readonly reason: string }>([
    { name: "an account that is not trusted", claims: { serviceAccount: "frontend" }, reason: "not-permitted" },
    { name: "a namespace that is not trusted", claims: { namespace: "demo" }, reason: "not-permitted" },
    { name: "everyone where nobody is trusted", policy: { trustedNodeAccounts: new Set() }, reason: "not-permitted" },
    {
      name: "a trusted account written with a slash in its name",
      claims: { namespace: "istio-system/ztunnel", serviceAccount: "x" },
      policy: { trustedNodeAccounts: new Set(["istio-system/ztunnel/x"]) },
      reason: "not-permitted",
    },
    { name: "who is spoken for itself", caller: { impersonator: proxyId }, reason: "not-permitted" },
    {
      name: "a client certificate, whatever else is known",
      caller: { source: "client-certificate" },
      reason: "caller-has-no-pod",
    },
    {
      name: "a forwarded certificate, whatever else is known",
      caller: { source: "forwarded-client-certificate" },
      reason: "caller-has-no-pod",
    },
    { name: "a token without pod UID", claims: { podUid: "" }, reason: "caller-has-no-pod" },
    { name: "a token without pod name", claims: { podName: "" }, reason: "caller-has-no-pod" },
    { name: "a cluster that has no name", claims: { clusterId: "" }, reason: "cluster-unknown" },
    { name: "a cluster nobody knows", claims: { clusterId: "other" }, reason: "cluster-unknown" },
    {
      name: "a foreign trust domain",
      requested: "spiffe://victim.example/ns/demo/sa/frontend",
      reason: "trust-domain-foreign",
    },
    {
      name: "a trust domain below ours",
      requested: "spiffe://a.cluster.local/ns/demo/sa/frontend",
      reason: "trust-domain-foreign",
    },
    { name: "a proxy without a pod", pods: [workloadPod], reason: "pod-unknown" },
    { name: "a pod that was replaced by one of the same name", proxyPod: { uid: "5f0d" }, reason: "pod-uid-mismatch" },
    { name: "a pod without UID", proxyPod: { uid: "" }, reason: "pod-uid-mismatch" },
    { name: "a pod under another account", proxyPod: { serviceAccount: "other" }, reason: "pod-account-mismatch" },
    { name: "a token bound to another node", claims: { nodeName: "node-2" }, reason: "pod-node-mismatch" },
    { name: "a proxy whose pod has ended", proxyPod: { phase: "Succeeded" }, reason: "pod-not-running" },
    { name: "a proxy whose pod has failed", proxyPod: { phase: "Failed" }, reason: "pod-not-running" },
    { name: "a proxy of whose pod nobody knows", proxyPod: { phase: "Unknown" }, reason: "pod-not-running" },
    { name: "a workload that has ended", workloadPod: { phase: "Succeeded" }, reason: "pod-not-running" },
    { name: "a workload that has failed", workloadPod: { phase: "Failed" }, reason: "pod-not-running" },
    { name: "a workload of which nobody knows", workloadPod: { phase: "Unknown" }, reason: "pod-not-running" },
    { name: "a workload on another node", workloadPod: { nodeName: "node-2" }, reason: "workload-not-on-node" },
    { name: "a workload that is not scheduled", workloadPod: { nodeName: "" }, reason: "workload-not-on-node" },
    {
      name: "a proxy and a workload neither of which is scheduled",
      proxyPod: { nodeName: "" },
      workloadPod: { nodeName: "" },
      reason: "workload-not-on-node",
    },
    {
      name: "a workload of another account",
      workloadPod: { serviceAccount: "backend" },
      reason: "workload-not-on-node",
    },
    { name: "a workload of another namespace", workloadPod: { namespace: "prod" }, reason: "workload-not-on-node" },
  ])("$name", ({ reason, ...change }) => {
    const outcome = decide(change);
    expect({ kind: outcome.kind, reason: "reason" in outcome ? outcome.reason : undefined }).toEqual({
      kind: "refused",
      reason,
    });
  });

  it.each(["client-certificate", "token", "forwarded-client-certificate"] as const)(
    "a caller known by a %s that names no pod",
    (source) => {
      const request = { caller: { spiffeId: proxyId, source }, requested: workload };
      expect(authorizeImpersonation(request, policyOver([]))).toMatchObject({
        kind: "refused",
        reason: "caller-has-no-pod",
      });
    },
  );

  it.each([
    ["nothing", ""],
    ["a word", "frontend"],
    ["a list of names", "spiffe://x,victim.example,y/ns/demo/sa/frontend"],
    ["a name after a comma", `${workload},victim.example`],
    ["a name before a comma", `victim.example,${workload}`],
    ["two identities", `${workload},spiffe://cluster.local/ns/demo/sa/backend`],
    ["a path that is too short", "spiffe://cluster.local/ns/demo/sa"],
    ["a path that is too long", `${workload}/extra`],
    ["a slash at the end", `${workload}/`],
    ["an empty segment", "spiffe://cluster.local/ns//sa/frontend"],
    ["a dot segment", "spiffe://cluster.local/ns/demo/sa/../../kube-system/sa/admin"],
    ["another path", "spiffe://cluster.local/sa/frontend/ns/demo"],
    ["no path", "spiffe://cluster.local"],
    ["an upper-case scheme", "SPIFFE://cluster.local/ns/demo/sa/frontend"],
    ["an upper-case trust domain", "spiffe://Cluster.Local/ns/demo/sa/frontend"],
    ["a port", "spiffe://cluster.local:443/ns/demo/sa/frontend"],
    ["user information", "spiffe://me@cluster.local/ns/demo/sa/frontend"],
    ["a query", `${workload}?sa=admin`],
    ["a fragment", `${workload}#a`],
    ["percent-encoding", "spiffe://cluster.local/ns/demo/sa/front%2Fend"],
    ["a space", `${workload} `],
    ["a line break", `${workload}\n`],
    ["a NUL", `${workload}\0`],
    ["letters beyond ASCII", "spiffe://cluster.local/ns/demo/sa/frontënd"],
    ["a DNS name", "frontend.demo.svc.cluster.local"],
    ["an address", "192.0.2.1"],
    ["four megabytes", "spiffe://cluster.local/ns/demo/sa/".padEnd(4 << 20, "a")],
  ])("%s as an identity, and does not repeat all of it", (_, requested) => {
    const outcome = decide({ name: "", requested });
    expect(outcome).toMatchObject({ kind: "refused", reason: "identity-malformed" });
    if (outcome.kind === "refused") expect(outcome.detail.length).toBeLessThan(8192);
  });

  it("pods that an index returns though nobody asked for them", () => {
    const sloppy = { ...podIndex([proxyPod]), podsOn: () => [{ ...workloadPod, nodeName: "node-2" }] };
    const change: Case = { name: "", policy: { podIndexOf: () => sloppy } };
    expect(decide(change)).toMatchObject({ kind: "refused", reason: "workload-not-on-node" });
    const wrongPod = { ...podIndex([proxyPod, workloadPod]), pod: () => ({ ...proxyPod, name: "other" }) };
    expect(decide({ name: "", policy: { podIndexOf: () => wrongPod } })).toMatchObject({ reason: "pod-unknown" });
  });
});

describe("authorizeImpersonation while pods are not known", () => {
  it("cannot tell", () => {
    const podIndexOf = () => podIndex([proxyPod, workloadPod], false);
    expect(decide({ name: "", policy: { podIndexOf } })).toMatchObject({
      kind: "unavailable",
      reason: "pods-unavailable",
    });
  });

  it("still refuses who may never speak for others, and what is no identity", () => {
    const podIndexOf = () => podIndex([], false);
    const untrusted = { name: "", claims: { serviceAccount: "frontend" }, policy: { podIndexOf } };
    expect(decide(untrusted)).toMatchObject({ kind: "refused", reason: "not-permitted" });
    const malformed = { name: "", requested: `${workload},victim.example`, policy: { podIndexOf } };
    expect(decide(malformed)).toMatchObject({ kind: "refused", reason: "identity-malformed" });
  });
});

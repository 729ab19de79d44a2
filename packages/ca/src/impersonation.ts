import {
  type KubernetesIdentity,
  kubernetesIdentityOf,
  kubernetesSpiffeId,
  parseSpiffeId,
  SpiffeError,
  type SpiffeId,
  type TrustDomain,
} from "@signet/spiffe";
import type { Caller } from "./caller.ts";

/** A pod as far as impersonation needs to know it. */
export type IndexedPod = {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly serviceAccount: string;
  /** Empty until the pod is scheduled. */
  readonly nodeName: string;
  readonly phase: "Pending" | "Running" | "Succeeded" | "Failed" | "Unknown";
};

/** The pods of one cluster. */
export interface PodIndex {
  /** False until the first complete list, and when the watch has been broken for longer than its bound. */
  ready(): boolean;
  pod(namespace: string, name: string): IndexedPod | undefined;
  /** Pods of a service account on one node, in any phase. */
  podsOn(nodeName: string, namespace: string, serviceAccount: string): readonly IndexedPod[];
}

/** Who may ask for whom. */
export type ImpersonationPolicy = {
  /** `<namespace>/<service account>` of the node proxies; empty forbids impersonation. */
  readonly trustedNodeAccounts: ReadonlySet<string>;
  readonly trustDomain: TrustDomain;
  /** Identities asked for under an alias are issued under `trustDomain`. */
  readonly trustDomainAliases?: ReadonlySet<TrustDomain>;
  /** The pods of a cluster by its ID after aliases; undefined for one that is not known. */
  podIndexOf(clusterId: string): PodIndex | undefined;
};

/** Why a caller may not have a certificate for another workload; for logs, never for the peer. */
export type ImpersonationReason =
  | "not-permitted"
  | "caller-has-no-pod"
  | "identity-malformed"
  | "trust-domain-foreign"
  | "cluster-unknown"
  | "pod-unknown"
  | "pod-uid-mismatch"
  | "pod-account-mismatch"
  | "pod-node-mismatch"
  | "pod-not-running"
  | "workload-not-on-node"
  | "pods-unavailable";

/** Whether a caller may have a certificate for the workload it named. `detail` is for logs. */
export type ImpersonationOutcome =
  | { readonly kind: "permitted"; readonly caller: Caller }
  | { readonly kind: "refused"; readonly reason: ImpersonationReason; readonly detail: string }
  /** Cannot tell now; the peer should try again. */
  | { readonly kind: "unavailable"; readonly reason: "pods-unavailable"; readonly detail: string };

/** One question. */
export type ImpersonationRequest = {
  readonly caller: Caller;
  /** As the caller sent it: any text. */
  readonly requested: string;
};

/**
 * Whether a node proxy may have a certificate for a workload: the proxy is one of the trusted accounts, its pod is the
 * one that its token is bound to, and a pod of the workload's service account lives on the same node.
 *
 * The permitted caller has the workload's SPIFFE ID, made anew of the mesh's trust domain and the namespace and service
 * account of that pod, so nothing else in the requested text can become a name. Pods that have run to their end do not
 * count; those that have not started yet do, since a node proxy is told of a pod before its first container runs.
 * @example
 * ```ts
 * import { authorizeImpersonation, type Caller, type PodIndex } from "@signet/ca";
 * import { parseTrustDomain } from "@signet/spiffe";
 * export function forWorkload(caller: Caller, requested: string, pods: PodIndex): Caller | undefined {
 *   const outcome = authorizeImpersonation(
 *     { caller, requested },
 *     {
 *       trustedNodeAccounts: new Set(["istio-system/ztunnel"]),
 *       trustDomain: parseTrustDomain("cluster.local"),
 *       podIndexOf: (clusterId) => (clusterId === "Kubernetes" ? pods : undefined),
 *     },
 *   );
 *   return outcome.kind === "permitted" ? outcome.caller : undefined;
 * }
 * ```
 */
export function authorizeImpersonation(
  request: ImpersonationRequest,
  policy: ImpersonationPolicy,
): ImpersonationOutcome {
  const { caller } = request;
  const proxy = readNodeProxy(caller, policy);
  if ("kind" in proxy) return proxy;
  const workload = readWorkload(request.requested, policy);
  if ("kind" in workload) return workload;
  const pods = policy.podIndexOf(proxy.clusterId);
  if (pods === undefined) return refused("cluster-unknown", `cluster ${JSON.stringify(proxy.clusterId)} is not known`);
  if (!pods.ready()) {
    const detail = `pods of cluster ${JSON.stringify(proxy.clusterId)} are not known now`;
    return { kind: "unavailable", reason: "pods-unavailable", detail };
  }
  const node = findNode(proxy, pods);
  if (typeof node !== "string") return node;
  const missing = findWorkload(workload, node, pods);
  if (missing !== undefined) return missing;
  const spiffeId = kubernetesSpiffeId({ ...workload, trustDomain: policy.trustDomain });
  return { kind: "permitted", caller: { spiffeId, source: caller.source, impersonator: caller.spiffeId } };
}

type Refused = Extract<ImpersonationOutcome, { kind: "refused" }>;

/** The pod that a token is bound to, of an account that may speak for its node's workloads. */
type NodeProxy = {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly podName: string;
  readonly podUid: string;
  readonly nodeName?: string;
  readonly clusterId: string;
};

function readNodeProxy(caller: Caller, { trustedNodeAccounts }: ImpersonationPolicy): NodeProxy | Refused {
  // Who was spoken for does not speak for others.
  if (caller.impersonator !== undefined) return refused("not-permitted", "caller is impersonated itself");
  const { source, kubernetes } = caller;
  if (source !== "token" || kubernetes === undefined) {
    return refused("caller-has-no-pod", "caller is not known by a Kubernetes token");
  }
  const { namespace, serviceAccount, podName, podUid, clusterId } = kubernetes;
  const account = `${namespace}/${serviceAccount}`;
  // A slash in either half could make the key of another account.
  if (account.split("/").length !== 2 || !trustedNodeAccounts.has(account)) {
    return refused("not-permitted", `account ${JSON.stringify(account)} is not a trusted node account`);
  }
  if (!podName || !podUid) return refused("caller-has-no-pod", "caller's token is not bound to a pod");
  if (!clusterId) return refused("cluster-unknown", "cluster of the caller is not known");
  return { ...kubernetes, podName, podUid, clusterId };
}

function readWorkload(requested: string, policy: ImpersonationPolicy): KubernetesIdentity | Refused {
  const spiffeId = parseRequested(requested);
  if (typeof spiffeId !== "string") return spiffeId;
  const identity = kubernetesIdentityOf(spiffeId);
  if (identity === undefined) {
    return refused("identity-malformed", `${JSON.stringify(spiffeId)} names no service account`);
  }
  const { trustDomain } = identity;
  if (trustDomain !== policy.trustDomain && !policy.trustDomainAliases?.has(trustDomain)) {
    return refused("trust-domain-foreign", `trust domain ${JSON.stringify(trustDomain)} is not the mesh's`);
  }
  return identity;
}

function parseRequested(requested: string): SpiffeId | Refused {
  try {
    return parseSpiffeId(requested);
  } catch (error) {
    if (error instanceof SpiffeError) return refused("identity-malformed", error.message);
    throw error;
  }
}

/** The node on which the proxy's own pod lives. */
function findNode(proxy: NodeProxy, pods: PodIndex): string | Refused {
  const { namespace, podName } = proxy;
  const what = `caller's pod ${JSON.stringify(`${namespace}/${podName}`)}`;
  const pod = pods.pod(namespace, podName);
  if (pod === undefined || pod.namespace !== namespace || pod.name !== podName) {
    return refused("pod-unknown", `${what} does not exist`);
  }
  if (pod.uid !== proxy.podUid) return refused("pod-uid-mismatch", `${what} is another than the token is bound to`);
  if (pod.serviceAccount !== proxy.serviceAccount) {
    return refused("pod-account-mismatch", `${what} runs under another service account than the token's`);
  }
  if (!isLive(pod)) return refused("pod-not-running", `${what} is in phase ${pod.phase}`);
  // Unscheduled pods share the empty name, and live on no node at all.
  if (pod.nodeName === "") return refused("workload-not-on-node", `${what} is on no node`);
  if (proxy.nodeName !== undefined && proxy.nodeName !== pod.nodeName) {
    return refused("pod-node-mismatch", `${what} is on another node than the token is bound to`);
  }
  return pod.nodeName;
}

/** Why the workload cannot be spoken for from this node; undefined when it can. */
function findWorkload(workload: KubernetesIdentity, nodeName: string, pods: PodIndex): Refused | undefined {
  const { namespace, serviceAccount } = workload;
  const here = pods
    .podsOn(nodeName, namespace, serviceAccount)
    .filter((pod) => pod.nodeName === nodeName && pod.namespace === namespace && pod.serviceAccount === serviceAccount);
  if (here.some(isLive)) return undefined;
  const what = `of ${JSON.stringify(`${namespace}/${serviceAccount}`)} on node ${JSON.stringify(nodeName)}`;
  return here.length > 0
    ? refused("pod-not-running", `every pod ${what} has ended`)
    : refused("workload-not-on-node", `there is no pod ${what}`);
}

function isLive({ phase }: IndexedPod): boolean {
  return phase === "Pending" || phase === "Running";
}

function refused(reason: ImpersonationReason, detail: string): Refused {
  return { kind: "refused", reason, detail };
}

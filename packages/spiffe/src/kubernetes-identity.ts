import { SpiffeError } from "./errors.ts";
import { parseSpiffeId, pathOf, type SpiffeId, trustDomainOf } from "./spiffe-id.ts";
import type { TrustDomain } from "./trust-domain.ts";

/** A Kubernetes service account within a trust domain, as Istio names workloads. */
export type KubernetesIdentity = {
  readonly trustDomain: TrustDomain;
  readonly namespace: string;
  readonly serviceAccount: string;
};

const maxKubernetesNameLength = 253;

/**
 * Returns `spiffe://<trust domain>/ns/<namespace>/sa/<service account>`.
 *
 * Namespace and service account are 1 to 253 characters that a SPIFFE ID segment may hold.
 * @throws SpiffeError `kubernetes-name-malformed`
 * @example
 * ```ts
 * import { kubernetesSpiffeId, parseTrustDomain } from "@signet/spiffe";
 * kubernetesSpiffeId({
 *   trustDomain: parseTrustDomain("cluster.local"),
 *   namespace: "demo",
 *   serviceAccount: "frontend",
 * }); // "spiffe://cluster.local/ns/demo/sa/frontend"
 * ```
 */
export function kubernetesSpiffeId(identity: KubernetesIdentity): SpiffeId {
  checkName("namespace", identity.namespace);
  checkName("service account", identity.serviceAccount);
  return parseSpiffeId(`spiffe://${identity.trustDomain}/ns/${identity.namespace}/sa/${identity.serviceAccount}`);
}

function checkName(what: string, name: string): void {
  const ok = name.length <= maxKubernetesNameLength && /^[a-zA-Z0-9._-]+$/.test(name) && name !== "." && name !== "..";
  if (!ok) {
    throw new SpiffeError(
      "kubernetes-name-malformed",
      `${what} ${JSON.stringify(name.slice(0, maxKubernetesNameLength))} is not a name that a SPIFFE ID segment can hold`,
    );
  }
}

/**
 * The service account a SPIFFE ID names, or undefined when its path has not the form `/ns/<ns>/sa/<sa>`.
 * @example
 * ```ts
 * import { kubernetesIdentityOf, parseSpiffeId } from "@signet/spiffe";
 * kubernetesIdentityOf(parseSpiffeId("spiffe://cluster.local/ns/demo/sa/frontend"))?.namespace; // "demo"
 * ```
 */
export function kubernetesIdentityOf(id: SpiffeId): KubernetesIdentity | undefined {
  const [, ns, namespace, sa, serviceAccount, ...rest] = pathOf(id).split("/");
  if (ns !== "ns" || sa !== "sa" || rest.length > 0) return undefined;
  if (namespace === undefined || serviceAccount === undefined) return undefined;
  return { trustDomain: trustDomainOf(id), namespace, serviceAccount };
}

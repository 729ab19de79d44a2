import { kubernetesSpiffeId, parseTrustDomain, type SpiffeId, type TrustDomain } from "@signet/spiffe";

/** The two workloads of the demo: the frontend calls the backend. */
export type WorkloadName = "frontend" | "backend";

/** The trust domain of the demo, which is the default of every part. */
export const demoTrustDomain: TrustDomain = parseTrustDomain("cluster.local");

/** The namespace that both workloads are in. */
export const demoNamespace = "demo";

/** The SPIFFE ID a workload of the demo must turn out to have. */
export function demoSpiffeId(name: WorkloadName): SpiffeId {
  return kubernetesSpiffeId({ trustDomain: demoTrustDomain, namespace: demoNamespace, serviceAccount: name });
}

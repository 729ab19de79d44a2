import { kubernetesSpiffeId, type SpiffeId, type TrustDomain } from "@signet/spiffe";

/** A Kubernetes service account, by names that Kubernetes itself allows. */
export type ServiceAccount = { readonly namespace: string; readonly serviceAccount: string };

// What Kubernetes itself allows (RFC 1123): a namespace is one label, a service account a subdomain. Every such name is
// also a legal SPIFFE ID segment, and none can bring a "/" or "," into the ID.
const namespaceSyntax = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const serviceAccountSyntax = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;
const maxServiceAccountLength = 253;

/** The SPIFFE ID of a service account, as Istio names workloads. */
export function serviceAccountId({ namespace, serviceAccount }: ServiceAccount, trustDomain: TrustDomain): SpiffeId {
  return kubernetesSpiffeId({ trustDomain, namespace, serviceAccount });
}

/** Returns the service account that `system:serviceaccount:<namespace>:<name>` names, or undefined for any other text. */
export function parseServiceAccountSubject(subject: string): ServiceAccount | undefined {
  const [system, kind, namespace, serviceAccount, ...rest] = subject.split(":");
  if (system !== "system" || kind !== "serviceaccount" || rest.length > 0) return undefined;
  if (namespace === undefined || serviceAccount === undefined) return undefined;
  return isServiceAccount({ namespace, serviceAccount }) ? { namespace, serviceAccount } : undefined;
}

/** Whether both are names that Kubernetes allows. */
export function isServiceAccount({ namespace, serviceAccount }: ServiceAccount): boolean {
  return (
    namespaceSyntax.test(namespace) &&
    serviceAccount.length <= maxServiceAccountLength &&
    serviceAccountSyntax.test(serviceAccount)
  );
}

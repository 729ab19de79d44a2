/** The names of the SDS secrets that this agent can have: the workload's SVID and its trust bundle. */
export type SecretName = "default" | "ROOTCA";

/** The workload's certificate chain and private key, as Istio names it on the wire. */
export const workloadSecretName = "default";

/** The trust bundle of the workload's trust domain, as Istio names it on the wire. */
export const trustBundleSecretName = "ROOTCA";

/**
 * The secret that `name` stands for, or undefined.
 *
 * A name that is not listed here never reaches key material: istio-agent answers any name with the workload's key.
 */
export function parseSecretName(name: string): SecretName | undefined {
  return name === workloadSecretName || name === trustBundleSecretName ? name : undefined;
}

import type { Clock } from "@signet/runtime";
import { KubernetesError } from "./errors.ts";
import type { KubernetesApi } from "./kubernetes-api.ts";

/**
 * The way to a cluster.
 *
 * A `kubeconfig-text` comes from someone else, such as a Secret about a remote cluster: it may hold data only. Programs to run
 * (unless `allowExec`) and paths of our files in it are refused with `config-invalid`.
 */
export type ClusterSource =
  | { readonly kind: "in-cluster" }
  | { readonly kind: "kubeconfig-file"; readonly path: string; readonly context?: string }
  | {
      readonly kind: "kubeconfig-text";
      readonly text: string;
      readonly context?: string;
      readonly allowExec?: boolean;
    };

/** Bounds of a connection. */
export type ClusterLimits = {
  /** How long a call may take, in milliseconds; default 10,000. */
  readonly deadlineMs?: number;
  /** The largest answer, and the largest event of a watch, in bytes; default 8 MiB. */
  readonly maxResponseBytes?: number;
  /** How long the server is asked to keep a watch, in seconds; default 40. */
  readonly watchSeconds?: number;
};

/** Opens a cluster. Nothing is sent yet. */
export async function connectCluster(
  _source: ClusterSource,
  _dependencies: { readonly clock: Clock; readonly limits?: ClusterLimits },
): Promise<KubernetesApi> {
  throw new KubernetesError("unavailable", "not built yet");
}

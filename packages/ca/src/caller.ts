import type { SpiffeId } from "@signet/spiffe";

/**
 * The authenticated peer of the CA RPC. `spiffeId` is the one name its certificate will carry.
 *
 * `kubernetes` is there only when a Kubernetes token said so: a caller known otherwise has no pod, and so can never
 * speak for another workload.
 */
export type Caller = {
  readonly spiffeId: SpiffeId;
  readonly source: "client-certificate" | "token" | "forwarded-client-certificate";
  readonly kubernetes?: {
    readonly namespace: string;
    readonly serviceAccount: string;
    readonly podName?: string;
    readonly podUid?: string;
    readonly nodeName?: string;
    /** The cluster whose API server vouched for the token, after aliases. */
    readonly clusterId?: string;
  };
  /** The node proxy that asked for this workload; absent when a caller speaks for itself. */
  readonly impersonator?: SpiffeId;
};

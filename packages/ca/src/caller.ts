import type { SpiffeId } from "@signet/spiffe";

/**
 * The authenticated peer of the CA RPC. `spiffeId` is the one name its certificate will carry.
 *
 * `kubernetes` is there only when a token said so: a caller known by its certificate has no pod, and so can never
 * speak for another workload.
 */
export type Caller = {
  readonly spiffeId: SpiffeId;
  readonly source: "client-certificate" | "token";
  readonly kubernetes?: {
    readonly namespace: string;
    readonly serviceAccount: string;
    readonly podName?: string;
    readonly podUid?: string;
  };
};

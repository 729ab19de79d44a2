/** Where something listens on loopback. */
export type Address = { readonly host: string; readonly port: number };

/** Why the backend's sidecar turned clients away since it started, as it counts it itself. */
export type RefusalCounts = {
  readonly noCertificate: number;
  readonly untrustedChain: number;
  readonly wrongName: number;
};

/** The sidecar of the workload that is called. */
export interface InboundSidecar {
  /** Mutual TLS. */
  readonly address: Address;
  refusals(signal: AbortSignal): Promise<RefusalCounts>;
  stop(): Promise<void>;
}

/** The sidecar of the workload that calls. */
export interface OutboundSidecar {
  /** Plain HTTP, for the workload only. */
  readonly address: Address;
  /** How many connections to the backend were ended by the backend's side. */
  connectionsEndedByBackend(signal: AbortSignal): Promise<number>;
  stop(): Promise<void>;
}

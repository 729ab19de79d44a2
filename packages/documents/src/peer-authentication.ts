import type { WorkloadSelector } from "./attachment.ts";
import type { DocumentPosition } from "./document-problem.ts";

/** Whether peers must, may or may not speak mutual TLS; UNSET leaves it to a wider document. */
export type MutualTlsMode = "UNSET" | "DISABLE" | "PERMISSIVE" | "STRICT";

/** Whether the peers of some workloads must speak mutual TLS. */
export type PeerAuthentication = {
  readonly kind: "PeerAuthentication";
  readonly namespace: string;
  readonly name: string;
  /** Absent for all workloads of the namespace, or of the mesh in the root namespace. */
  readonly selector?: WorkloadSelector;
  /** Always empty: peers are not a matter of targets. */
  readonly targetRefs: readonly never[];
  /** Default UNSET. */
  readonly mode: MutualTlsMode;
  /** By the port that the workload listens on, 1 to 65535. */
  readonly portModes: ReadonlyMap<number, MutualTlsMode>;
  /** `metadata.creationTimestamp`: the oldest document of a scope counts. Absent in files, where order of name decides. */
  readonly createdAt?: Date;
  readonly position: DocumentPosition;
};

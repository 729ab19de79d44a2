import {
  type PeerAuthentication,
  type PeerMtls,
  peerMtls,
  type RefusedDocument,
  type Workload,
} from "@signet/documents";
import { type CompiledPolicies, policiesFor, type WorkloadPolicies } from "@signet/policy";
import type { JwksPool } from "./jwks-pool.ts";
import {
  type AuthenticationDocuments,
  attachedTo,
  compileWorkloadRules,
  defaultRootNamespace,
  type RuleOptions,
  type WorkloadRules,
} from "./workload-rules.ts";

/** All that requests to one workload are decided by. */
export type WorkloadState = {
  readonly policies: WorkloadPolicies;
  readonly jwt: WorkloadRules;
  readonly mtls: PeerMtls;
};

/** What workloads are compiled from. */
export type WorkloadSources = {
  readonly documents: AuthenticationDocuments;
  readonly compiled: CompiledPolicies;
  readonly options: RuleOptions;
  readonly pool: JwksPool;
};

/** Returns what requests to `workload` are decided by. */
export function compileWorkload(
  workload: Workload,
  { documents, compiled, options, pool }: WorkloadSources,
): WorkloadState {
  const { attachment } = options;
  const { rootNamespace = defaultRootNamespace } = attachment;
  const peers = documents.documents.filter(
    (document): document is PeerAuthentication => document.kind === "PeerAuthentication",
  );
  const broken = attachedTo(documents.refused.filter(mayBePeerAuthentication), workload, attachment);
  return {
    policies: policiesFor(compiled, workload),
    jwt: compileWorkloadRules(documents, { workload, options, pool }),
    mtls: broken.length > 0 ? strictMtls : peerMtls(peers, workload, { rootNamespace }),
  };
}

const strictMtls: PeerMtls = { mode: "STRICT", portModes: new Map() };

function mayBePeerAuthentication({ kind }: RefusedDocument): boolean {
  return kind === undefined || kind === "PeerAuthentication";
}

/** Whether peers must speak mutual TLS on a port; where it is not known, as soon as any port wants it. */
export function wantsMtls({ mode, portModes }: PeerMtls, port: number | undefined): boolean {
  if (port !== undefined) return (portModes.get(port) ?? mode) === "STRICT";
  return mode === "STRICT" || [...portModes.values()].includes("STRICT");
}

/** What tells a workload from others. */
export function workloadKey({ namespace, labels, waypointFor }: Workload): string {
  const sorted = [...labels].sort(([one], [other]) => (one < other ? -1 : 1));
  return JSON.stringify([namespace, sorted, waypointFor ?? null]);
}

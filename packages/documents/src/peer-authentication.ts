import { readSelector, type WorkloadSelector } from "./attachment.ts";
import type { DocumentPosition } from "./document-problem.ts";
import type { FieldReader } from "./field-reader.ts";
import { dryRunAnnotation, type KindReader } from "./kubernetes-object.ts";
import { printable } from "./rule-values.ts";
import { refuseUnknownFields } from "./unknown-fields.ts";

const modes = ["UNSET", "DISABLE", "PERMISSIVE", "STRICT"] as const;

/** Whether peers must, may or may not speak mutual TLS; UNSET leaves it to a wider document. */
export type MutualTlsMode = (typeof modes)[number];

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

/** Reads the rest of a PeerAuthentication, and notes what is wrong with it. */
export const readPeerAuthentication: KindReader<PeerAuthentication> = ({ object, spec }) => {
  if (object.annotations?.holds(dryRunAnnotation) === true) {
    object.annotations.report("is not valid: has unsupported annotation, please remove it", dryRunAnnotation);
  }
  const selector = spec === undefined ? undefined : readSelector(spec);
  const mtls = spec?.map("mtls");
  const read: PeerAuthentication = {
    kind: "PeerAuthentication",
    namespace: object.namespace,
    name: object.name,
    ...(selector !== undefined && { selector }),
    targetRefs: [],
    mode: mtls === undefined ? "UNSET" : readMode(mtls),
    portModes: spec === undefined ? new Map() : readPortModes(spec, selector),
    ...(object.createdAt !== undefined && { createdAt: object.createdAt }),
    position: object.position,
  };
  if (spec !== undefined) refuseUnknownFields(spec);
  return read;
};

function readMode(mtls: FieldReader): MutualTlsMode {
  const mode = mtls.parsed("mode", (text) => {
    const found = modes.find((known) => known === text);
    if (found !== undefined) return found;
    throw new Error(`Unsupported value: "${printable(text)}": supported values: ${modes.join(", ")}`);
  });
  refuseUnknownFields(mtls);
  return mode ?? "UNSET";
}

function readPortModes(spec: FieldReader, selector: WorkloadSelector | undefined): ReadonlyMap<number, MutualTlsMode> {
  const ports = spec.map("portLevelMtls");
  const portModes = new Map<number, MutualTlsMode>();
  if (ports === undefined) return portModes;
  const names = ports.names();
  if (names.length === 0) ports.report("is not valid: port level mTLS, if defined, must have at least one element");
  else if (selector === undefined || selector.matchLabels.size === 0) {
    ports.report("is not valid: mesh/namespace peer authentication cannot have port level mTLS");
  }
  for (const name of names) {
    const mtls = ports.map(name);
    if (mtls === undefined && !ports.holds(name)) ports.report("is nothing, and not a map", name);
    // One spelling for each port, so that none is there twice.
    const port = /^[1-9][0-9]{0,4}$/.test(name) ? Number(name) : 0;
    if (port < 1 || port > 65_535) ports.report("is not valid: port must be in range 1..65535", name);
    else if (mtls !== undefined) portModes.set(port, readMode(mtls));
  }
  return portModes;
}

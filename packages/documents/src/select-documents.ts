import type { Attachment, TargetReference } from "./attachment.ts";
import type { Workload } from "./workload.ts";

/** What selection looks at: a document of any kind, or one that was refused. */
export type Selectable = Attachment & {
  readonly kind?: string;
  /** Absent where it is not known, and then the document could be in any. */
  readonly namespace?: string;
  readonly name?: string;
  /** What it is attached to could not be read, so that it may be a gateway or a waypoint as well. */
  readonly targetsUnknown?: true;
};

/** How documents attach to workloads. */
export type SelectOptions = {
  /** The namespace whose documents are the whole mesh's; `rootNamespace` of the mesh config. */
  readonly rootNamespace: string;
  /**
   * Whether a gateway of the Kubernetes Gateway API obeys documents that have a selector, or nothing, and no targetRefs:
   * Istio's `ENABLE_SELECTOR_BASED_K8S_GATEWAY_POLICY`. Default true.
   */
  readonly selectorsReachGateways?: boolean;
};

const gatewayNameLabel = "gateway.networking.k8s.io/gateway-name";
const gatewayGroup = "gateway.networking.k8s.io";
const waypointClass = "istio-waypoint";

/**
 * Returns those of the documents that attach to a workload, of every kind, ordered by namespace, name and kind.
 *
 * Documents of the workload's namespace and of the root namespace count, and for a waypoint those of the services it stands
 * before. With `targetRefs` a document is for Gateway API gateways and waypoints alone; without them it is for workloads
 * that bear the labels of its selector, and never for waypoints. Where a document has both, its targetRefs count. A document
 * whose namespace or targets are not known, which only one that was refused can be, is taken for one of every namespace and
 * of every target.
 * @example
 * ```ts
 * import { parseDocuments, parseWorkload, selectDocuments } from "@signet/documents";
 * const { documents } = parseDocuments("", { file: "policies.yaml" });
 * selectDocuments(documents, parseWorkload("foo/app=httpbin"), { rootNamespace: "istio-system" });
 * ```
 */
export function selectDocuments<T extends Selectable>(
  documents: readonly T[],
  workload: Workload,
  options: SelectOptions,
): readonly T[] {
  return documents.filter((document) => attaches(document, workload, options)).sort(compareDocuments);
}

function attaches(document: Selectable, workload: Workload, options: SelectOptions): boolean {
  const gateway = workload.labels.get(gatewayNameLabel);
  const isWaypoint = workload.waypointFor !== undefined;
  if (document.targetRefs.length > 0) {
    return document.targetRefs.some((target) => isTarget(target, { document, workload, gateway, options }));
  }
  const isTargetOnly = isWaypoint || (gateway !== undefined && options.selectorsReachGateways === false);
  if (isTargetOnly && document.targetsUnknown !== true) return false;
  const services = document.targetsUnknown === true ? (workload.waypointFor ?? []) : [];
  if (services.some(({ namespace }) => isIn(document, namespace))) return true;
  if (!isIn(document, workload.namespace) && !isIn(document, options.rootNamespace)) return false;
  for (const [key, value] of document.selector?.matchLabels ?? []) {
    if (workload.labels.get(key) !== value) return false;
  }
  return true;
}

function isIn({ namespace }: Selectable, wanted: string): boolean {
  return namespace === undefined || namespace === wanted;
}

type Attempt = {
  readonly document: Selectable;
  readonly workload: Workload;
  readonly gateway: string | undefined;
  readonly options: SelectOptions;
};

function isTarget(target: TargetReference, { document, workload, gateway, options }: Attempt): boolean {
  const group = target.group === "" ? "core" : target.group;
  switch (`${group}/${target.kind}`) {
    case `${gatewayGroup}/Gateway`:
      return target.name === gateway && isIn(document, workload.namespace);
    case `${gatewayGroup}/GatewayClass`:
      return (
        workload.waypointFor !== undefined && target.name === waypointClass && isIn(document, options.rootNamespace)
      );
    case "core/Service":
    case "networking.istio.io/ServiceEntry":
      return (workload.waypointFor ?? []).some(
        ({ kind, namespace, name }) => kind === target.kind && name === target.name && isIn(document, namespace),
      );
    default:
      return false;
  }
}

/** By code units, as no locale may change which order it is. */
function compareDocuments(one: Selectable, other: Selectable): number {
  return (
    compareText(one.namespace, other.namespace) ||
    compareText(one.name, other.name) ||
    compareText(one.kind, other.kind)
  );
}

function compareText(one = "", other = ""): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

import type { MutualTlsMode, PeerAuthentication } from "./peer-authentication.ts";
import type { Workload } from "./workload.ts";

/** Whether peers must, may or may not speak mutual TLS, with nothing left to a wider document. */
export type PeerMtlsMode = Exclude<MutualTlsMode, "UNSET">;

/** What the PeerAuthentications of a mesh come to for one workload. */
export type PeerMtls = {
  /** Of every port that `portModes` does not name. */
  readonly mode: PeerMtlsMode;
  /** By the port that the workload listens on. */
  readonly portModes: ReadonlyMap<number, PeerMtlsMode>;
};

/**
 * Returns what the peers of a workload must speak: the narrowest scope that says so counts, workload before namespace before mesh,
 * and PERMISSIVE where none does.
 *
 * A document with labels in its selector is of the workloads that bear them; without, it is of its namespace, or of the mesh in
 * the root namespace. In one scope the oldest counts and every other is as if it were not there, its ports included; of the same
 * age, or with no `createdAt`, which is the oldest, the first by `name.namespace`. UNSET is left to the next scope, and of a port to
 * the workload. As in Istio, a document with labels in the root namespace counts for nobody, and waypoints are workloads like
 * all others.
 * @example
 * ```ts
 * import { parseWorkload, peerMtls } from "@signet/documents";
 * const { mode, portModes } = peerMtls([], parseWorkload("foo/app=httpbin"), { rootNamespace: "istio-system" });
 * portModes.get(8080) ?? mode; // "PERMISSIVE"
 * ```
 */
export function peerMtls(
  documents: readonly PeerAuthentication[],
  workload: Pick<Workload, "namespace" | "labels">,
  { rootNamespace }: { readonly rootNamespace: string },
): PeerMtls {
  const ofWorkload: PeerAuthentication[] = [];
  const ofNamespace: PeerAuthentication[] = [];
  const ofMesh: PeerAuthentication[] = [];
  for (const document of documents) {
    const { namespace, selector } = document;
    const isWide = selector === undefined || selector.matchLabels.size === 0;
    if (namespace === rootNamespace) {
      if (isWide) ofMesh.push(document);
    } else if (namespace === workload.namespace) {
      if (isWide) ofNamespace.push(document);
      else if (bears(workload, selector.matchLabels)) ofWorkload.push(document);
    }
  }
  const narrowest = oldest(ofWorkload);
  const mode = firstSet([narrowest?.mode, oldest(ofNamespace)?.mode, oldest(ofMesh)?.mode]);
  const ports = [...(narrowest?.portModes ?? [])].sort(([one], [other]) => one - other);
  return { mode, portModes: new Map(ports.map(([port, ofPort]) => [port, firstSet([ofPort, mode])])) };
}

function bears({ labels }: Pick<Workload, "labels">, wanted: ReadonlyMap<string, string>): boolean {
  for (const [key, value] of wanted) if (labels.get(key) !== value) return false;
  return true;
}

function firstSet(modes: readonly (MutualTlsMode | undefined)[]): PeerMtlsMode {
  for (const mode of modes) if (mode !== undefined && mode !== "UNSET") return mode;
  return "PERMISSIVE";
}

function oldest(documents: readonly PeerAuthentication[]): PeerAuthentication | undefined {
  return documents.toSorted(compareAge)[0];
}

function compareAge(one: PeerAuthentication, other: PeerAuthentication): number {
  const ages = [one, other].map(({ createdAt }) => createdAt?.getTime() ?? Number.NEGATIVE_INFINITY);
  const [ageOfOne = 0, ageOfOther = 0] = ages;
  if (ageOfOne !== ageOfOther) return ageOfOne < ageOfOther ? -1 : 1;
  const [name, otherName] = [one, other].map((document) => `${document.name}.${document.namespace}`);
  return name === otherName ? 0 : (name ?? "") < (otherName ?? "") ? -1 : 1;
}

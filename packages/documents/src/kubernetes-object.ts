import type { DocumentPosition } from "./document-problem.ts";
import type { DocumentText } from "./document-text.ts";
import type { FieldReader } from "./field-reader.ts";
import { refuseUnknownFields } from "./unknown-fields.ts";
import { isDnsLabel, isDnsSubdomain } from "./workload.ts";

/** What every object of Kubernetes says of itself. */
export type KubernetesObject = {
  readonly namespace: string;
  readonly name: string;
  /** Its annotations; each is text. */
  readonly annotations?: FieldReader;
  /** When an API server took it in. */
  readonly createdAt?: Date;
  readonly position: DocumentPosition;
};

/** Reads the rest of an object of one kind; `spec` is absent where the object has none. Notes what is wrong with it. */
export type KindReader<T> = (parts: {
  readonly object: KubernetesObject;
  readonly spec: FieldReader | undefined;
  readonly about: DocumentText;
}) => T;

/** Says of an authorization policy that it is watched and not enforced. */
export const dryRunAnnotation = "istio.io/dry-run";

/** What an API server writes, or lets be written, besides what is read here. */
const otherMetadata: readonly string[] = [
  ...["generateName", "selfLink", "uid", "resourceVersion", "generation", "deletionTimestamp"],
  ...["deletionGracePeriodSeconds", "ownerReferences", "finalizers", "managedFields"],
];

/** Reads what every object has, and notes what is wrong with it; `namespace` is for objects that name none. */
export function readKubernetesObject(
  root: FieldReader,
  { about, namespace }: { readonly about: DocumentText; readonly namespace: string },
): KubernetesObject {
  for (const name of ["apiVersion", "kind", "spec", "status"]) root.holds(name);
  const metadata = root.map("metadata");
  if (!root.holds("metadata")) root.report("is missing", "metadata");
  refuseUnknownFields(root);
  const name = metadata?.parsed("name", readName) ?? "";
  if (metadata?.holds("name") === false) metadata.report("is missing", "name");
  const written = metadata?.parsed("namespace", readNamespace) ?? "";
  const annotations = metadata?.map("annotations");
  for (const map of [annotations, metadata?.map("labels")]) for (const key of map?.names() ?? []) map?.text(key);
  const createdAt = metadata?.parsed("creationTimestamp", readTime);
  for (const other of otherMetadata) metadata?.holds(other);
  if (metadata !== undefined) refuseUnknownFields(metadata);
  return {
    name,
    namespace: written === "" ? namespace : written,
    ...(annotations !== undefined && { annotations }),
    ...(createdAt !== undefined && { createdAt }),
    position: about.position(root.offset),
  };
}

function readName(text: string): string {
  if (!isDnsSubdomain(text)) throw new Error("a name is a DNS name in lower case of at most 253 characters");
  return text;
}

function readNamespace(text: string): string {
  if (text !== "" && !isDnsLabel(text)) throw new Error("a namespace is a DNS label");
  return text;
}

/** RFC 3339, as API servers write it. */
function readTime(text: string): Date {
  const isTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/.test(text);
  const time = new Date(text);
  if (!isTime || Number.isNaN(time.getTime())) throw new Error("a time such as 2026-01-02T03:04:05Z is wanted");
  return time;
}

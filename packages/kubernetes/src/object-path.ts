import { KubernetesError, quote } from "./errors.ts";
import type { KubernetesObject, ObjectName, Resource } from "./resource.ts";

/** The path of a collection. */
export function collectionPath<T extends KubernetesObject>(resource: Resource<T>, namespace?: string): string {
  const { apiVersion, plural, namespaced } = resource;
  const root = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  if (namespace === undefined) return `${root}/${plural}`;
  if (!namespaced) throw new KubernetesError("invalid", `${plural} have no namespace`);
  return `${root}/namespaces/${segment(namespace)}/${plural}`;
}

/** The path of one object, or of a subresource of it. */
export function objectPath<T extends KubernetesObject>(
  resource: Resource<T>,
  name: ObjectName,
  subresource?: string,
): string {
  const path = `${ownCollectionPath(resource, name.namespace)}/${segment(name.name)}`;
  return subresource === undefined ? path : `${path}/${subresource}`;
}

/** The path of the collection that holds an object of that namespace; one that needs a namespace must be given it. */
export function ownCollectionPath<T extends KubernetesObject>(resource: Resource<T>, namespace?: string): string {
  if (resource.namespaced && namespace === undefined) {
    throw new KubernetesError("invalid", `${resource.plural} have a namespace, and none was given`);
  }
  return collectionPath(resource, namespace);
}

/** A name as one segment of a path; what Kubernetes allows nowhere is refused, so that no name leads elsewhere. */
function segment(name: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._:-]{0,252}$/.test(name)) {
    throw new KubernetesError("invalid", `${quote(name)} is not the name of a Kubernetes object`);
  }
  return encodeURIComponent(name);
}

/** `path` with those parameters that have a value. */
export function withQuery(path: string, parameters: Readonly<Record<string, string | undefined>>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined) query.set(name, value);
  return query.size === 0 ? path : `${path}?${query}`;
}

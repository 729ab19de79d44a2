import { type ConfigMap, type KubernetesApi, type Mirror, mirror, type Namespace, resources } from "@signet/kubernetes";
import type { Clock, Random, Task } from "@signet/runtime";
import type { PublishedMap } from "./published-map.ts";

/** What is where: the namespaces, and the published ConfigMaps in them. */
export interface MapCopies {
  readonly tasks: readonly Task[];
  /** Whether all copies can be believed. */
  synced(): boolean;
  /** Namespaces that are to have the maps. */
  namespaces(): Iterable<string>;
  /** Whether the namespace is there, is not being deleted, and is to have the maps. */
  wants(namespace: string): boolean;
  /** The key of the map in the namespace; "missing" when there is no such ConfigMap. */
  find(map: PublishedMap, namespace: string): { readonly text: string | undefined } | "missing";
  /** Calls `listener` with the namespace of each change. */
  onChange(listener: (namespace: string) => void): void;
}

/** Which namespaces count. */
export type NamespaceChoice = {
  /** Empty stands for all. */
  readonly watchNamespaces: readonly string[];
  /** Whether a namespace is to have the maps at all; those of Kubernetes itself never are. */
  readonly selects: (namespace: Namespace) => boolean;
};

/** What istiod leaves out too; kube-system is not among them. */
const leftOut = new Set(["kube-public", "kube-node-lease", "local-path-storage"]);

/** Copies namespaces and ConfigMaps, those of all namespaces or of the watched ones only. */
export function copyMaps(
  api: KubernetesApi,
  { maps, choice }: { readonly maps: readonly PublishedMap[]; readonly choice: NamespaceChoice },
  dependencies: { readonly clock: Clock; readonly random: Random },
): MapCopies {
  const scopes: readonly (string | undefined)[] =
    choice.watchNamespaces.length === 0 ? [undefined] : choice.watchNamespaces;
  const pick = (namespace: Namespace): CopiedNamespace => ({
    name: namespace.metadata.name,
    wanted: isWanted(namespace, choice),
  });
  const namespaces = scopes.map((scope) => {
    const query = scope === undefined ? {} : { fieldSelector: `metadata.name=${scope}` };
    return mirror(api, { resource: resources.namespaces, query, pick }, dependencies);
  });
  const configMaps = maps.flatMap((map) =>
    scopes.map((scope) => {
      const query = {
        ...(scope === undefined ? {} : { namespace: scope }),
        fieldSelector: `metadata.name=${map.name}`,
      };
      const copied = { resource: resources.configMaps, query, pick: (found: ConfigMap) => pickText(found, map) };
      return { map, copy: mirror(api, copied, dependencies) };
    }),
  );
  const copies: readonly Mirror<unknown>[] = [...namespaces, ...configMaps.map(({ copy }) => copy)];

  return {
    tasks: copies.map(({ task }) => task),
    synced: () => copies.every((copy) => copy.synced()),
    *namespaces() {
      for (const copy of namespaces) for (const { name, wanted } of copy.values()) if (wanted) yield name;
    },
    wants: (name) => namespaces.some((copy) => copy.get({ name })?.wanted === true),
    find(map, namespace) {
      for (const { map: copied, copy } of configMaps) {
        const found = copied === map ? copy.get({ namespace, name: map.name }) : undefined;
        if (found !== undefined) return found;
      }
      return "missing";
    },
    onChange(listener) {
      for (const copy of namespaces) copy.onChange(({ name }) => listener(name.name));
      for (const { copy } of configMaps) copy.onChange(({ name }) => listener(name.namespace ?? ""));
    },
  };
}

type CopiedNamespace = { readonly name: string; readonly wanted: boolean };

function isWanted(namespace: Namespace, { selects }: NamespaceChoice): boolean {
  const { metadata, status } = namespace;
  if (leftOut.has(metadata.name) || metadata.deletionTimestamp !== undefined) return false;
  return status?.phase !== "Terminating" && selects(namespace);
}

function pickText({ data }: ConfigMap, map: PublishedMap): { readonly text: string | undefined } {
  const text = data !== undefined && Object.hasOwn(data, map.key) ? data[map.key] : undefined;
  const wanted = map.wanted();
  // One text instead of one for each namespace.
  return { text: text === wanted ? wanted : text };
}

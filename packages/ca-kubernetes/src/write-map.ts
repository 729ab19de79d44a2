import { type KubernetesApi, KubernetesError, type KubernetesErrorCode, resources } from "@signet/kubernetes";
import { newConfigMap, type PublishedMap } from "./published-map.ts";

/** One ConfigMap that is not what it should be. */
export type MapToWrite = {
  readonly map: PublishedMap;
  readonly namespace: string;
  /** Whether there is no such ConfigMap at all. */
  readonly missing: boolean;
};

/** What came of writing; "passed-over" when it could not be made for a reason that is none of ours. */
export type MapWriteOutcome = "created" | "corrected" | "passed-over" | "forbidden";

/** Made by another replica, or the namespace is gone. */
const passedOverCodes: ReadonlySet<KubernetesErrorCode> = new Set(["already-exists", "not-found"]);

/**
 * Makes the ConfigMap, or sets our one key in it and leaves the rest alone.
 *
 * "forbidden" is also what the API server says of a namespace that is being deleted.
 * @throws KubernetesError
 */
export async function writeMap(
  api: KubernetesApi,
  { map, namespace, missing }: MapToWrite,
  signal: AbortSignal,
): Promise<MapWriteOutcome> {
  const text = map.wanted() ?? "";
  if (!missing) {
    const patch = { data: { [map.key]: text } };
    await api.mergePatch(resources.configMaps, { namespace, name: map.name, patch }, signal);
    return "corrected";
  }
  try {
    await api.create(resources.configMaps, newConfigMap(map, namespace, text), signal);
    return "created";
  } catch (error) {
    if (!(error instanceof KubernetesError)) throw error;
    if (passedOverCodes.has(error.code)) return "passed-over";
    if (error.code === "forbidden") return "forbidden";
    throw error;
  }
}

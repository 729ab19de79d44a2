import { createHash } from "node:crypto";
import type { Secret } from "@signet/kubernetes";

/** What one Secret says of remote clusters: kubeconfigs by cluster ID. */
export type RemoteSecret = { readonly secret: string; readonly kubeconfigs: ReadonlyMap<string, string> };

/** What is said of one cluster, and which Secret says it; equal hashes say the same. */
export type RemoteDeclaration = { readonly secret: string; readonly kubeconfig: string; readonly hash: string };

/** Reads a Secret as istioctl makes them: each key is a cluster ID, each value a kubeconfig. */
export function readRemoteSecret({ metadata, data = {} }: Secret): RemoteSecret {
  const decoded = Object.entries(data).map(([id, base64]): [string, string] => [
    id,
    Buffer.from(base64, "base64").toString("utf8"),
  ]);
  return { secret: metadata.name, kubeconfigs: new Map(decoded) };
}

/** Returns what counts for each cluster: of several Secrets that name it, the one whose name comes first. */
export function selectDeclarations(secrets: Iterable<RemoteSecret>): Map<string, RemoteDeclaration> {
  const declared = new Map<string, RemoteDeclaration>();
  for (const { secret, kubeconfigs } of [...secrets].sort((a, b) => (a.secret < b.secret ? -1 : 1))) {
    for (const [id, kubeconfig] of kubeconfigs) {
      if (declared.has(id)) continue;
      const hash = createHash("sha256").update(kubeconfig).digest("base64");
      declared.set(id, { secret, kubeconfig, hash });
    }
  }
  return declared;
}

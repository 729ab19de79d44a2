import type { KubeObjects } from "../real/support/kube-objects.ts";
import { type Caller, createCaller } from "./callers.ts";

/** Service accounts of a namespace, each with a token of the real API server and a key of its own. */
export async function createServiceAccountCallers(
  objects: Pick<KubeObjects, "createServiceAccount" | "requestToken">,
  {
    namespace,
    count,
    headers,
  }: { readonly namespace: string; readonly count: number; readonly headers?: Caller["headers"] },
): Promise<readonly Caller[]> {
  return await Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const serviceAccount = `workload-${index}`;
      await objects.createServiceAccount(namespace, serviceAccount);
      const token = await objects.requestToken({ namespace, serviceAccount, audiences: ["istio-ca"] });
      const spiffeId = `spiffe://cluster.local/ns/${namespace}/sa/${serviceAccount}`;
      return await createCaller({ spiffeId, token: () => token, ...(headers !== undefined && { headers }) });
    }),
  );
}

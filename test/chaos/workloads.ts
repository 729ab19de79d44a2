import type { OidcIssuer } from "../e2e/ca-server-fixture.ts";
import { type Caller, createCaller } from "./callers.ts";

/** Workloads of the namespace `load`, each with a key and a token of its own, which is good for an hour. */
export async function createWorkloads(issuer: Pick<OidcIssuer, "sign">, count: number): Promise<readonly Caller[]> {
  return await Promise.all(
    Array.from({ length: count }, (_, index) => {
      const name = `workload-${index}`;
      const token = issuer.sign({ sub: `system:serviceaccount:load:${name}` });
      return createCaller({ spiffeId: `spiffe://cluster.local/ns/load/sa/${name}`, token: () => token });
    }),
  );
}

import type { OidcIssuer } from "../e2e/ca-server-fixture.ts";
import { type Caller, createCaller } from "./callers.ts";

/**
 * Workloads of the namespace `load`, each with a key and a token of its own, which is good for an hour. Their CSRs name
 * somebody else, or, where the names of a CSR count, themselves.
 */
export async function createWorkloads(
  issuer: Pick<OidcIssuer, "sign">,
  { count, csrs = "of others" }: { readonly count: number; readonly csrs?: "of others" | "of their own" },
): Promise<readonly Caller[]> {
  return await Promise.all(
    Array.from({ length: count }, (_, index) => {
      const name = `workload-${index}`;
      const token = issuer.sign({ sub: `system:serviceaccount:load:${name}` });
      const spiffeId = `spiffe://cluster.local/ns/load/sa/${name}`;
      return createCaller({ spiffeId, token: () => token, ...(csrs === "of their own" && { csrId: spiffeId }) });
    }),
  );
}

import { createSource, type Publisher } from "@signet/runtime";
import { type SpiffeId, trustDomainOf } from "@signet/spiffe";
import type { TrustBundle } from "@signet/x509";
import { type TestCa, testLeaf } from "@signet/x509/testing";
import type { WorkloadSvid } from "./workload-svid.ts";

/**
 * Returns an identity under a test CA, beside bundles of other trust domains.
 * @example
 * ```ts
 * import { parseSpiffeId } from "@signet/spiffe";
 * import { testIdentity } from "@signet/tls/testing";
 * import { testRoot } from "@signet/x509/testing";
 * const identity = await testIdentity(await testRoot(), parseSpiffeId("spiffe://cluster.local/ns/demo/sa/frontend"));
 * ```
 */
export async function testIdentity(
  ca: TestCa,
  spiffeId: SpiffeId,
  others: ReadonlyMap<WorkloadSvid["svid"]["spiffeId"], TrustBundle> = new Map(),
): Promise<WorkloadSvid> {
  const svid = await testLeaf(ca, { spiffeId });
  const foreign = [...others].map(([id, bundle]) => [trustDomainOf(id), bundle] as const);
  return { svid, trustBundles: new Map([...foreign, [trustDomainOf(spiffeId), ca.trustBundle]]) };
}

/**
 * Returns a source with that identity, which a test may replace.
 * @example
 * ```ts
 * import { testSource } from "@signet/tls/testing";
 * testSource(undefined).current(); // undefined
 * ```
 */
export function testSource(identity: WorkloadSvid | undefined): Publisher<WorkloadSvid> {
  return createSource<WorkloadSvid>(identity);
}

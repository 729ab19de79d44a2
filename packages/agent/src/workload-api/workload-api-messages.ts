import type { MessageInitShape } from "@bufbuild/protobuf";
import type { X509BundlesResponseSchema, X509SVIDResponseSchema } from "@signet/protos/spiffe/workload/workload";
import { type TrustDomain, trustDomainOf } from "@signet/spiffe";
import type { Certificate, TrustBundle } from "@signet/x509";
import type { WorkloadIdentity } from "../identity/workload-identity.ts";

/** Returns what FetchX509SVID says of an identity: the SVID with its key and bundle, and the bundles of other trust domains. */
export function x509SvidResponse({
  svid,
  trustBundles,
}: WorkloadIdentity): MessageInitShape<typeof X509SVIDResponseSchema> {
  const trustDomain = trustDomainOf(svid.spiffeId);
  return {
    svids: [
      {
        spiffeId: svid.spiffeId,
        x509Svid: concatenated(svid.chain),
        x509SvidKey: svid.key.privateKey.export({ format: "der", type: "pkcs8" }),
        bundle: concatenated(trustBundles.get(trustDomain)?.authorities ?? []),
      },
    ],
    federatedBundles: bundlesByName([...trustBundles].filter(([name]) => name !== trustDomain)),
  };
}

/** Returns what FetchX509Bundles says: the bundles of all trust domains, the workload's own among them. */
export function x509BundlesResponse({
  trustBundles,
}: WorkloadIdentity): MessageInitShape<typeof X509BundlesResponseSchema> {
  return { bundles: bundlesByName([...trustBundles]) };
}

/** By the SPIFFE ID of the trust domain, as the standard has it (SPIFFE Workload API section 5.2). */
function bundlesByName(bundles: readonly (readonly [TrustDomain, TrustBundle])[]): Record<string, Uint8Array> {
  return Object.fromEntries(bundles.map(([name, { authorities }]) => [`spiffe://${name}`, concatenated(authorities)]));
}

/** Certificates one after the other without anything between. */
function concatenated(certificates: readonly Certificate[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.concat(certificates.map(({ der }) => der)));
}

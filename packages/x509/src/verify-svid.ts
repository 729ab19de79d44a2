import type { SpiffeId, TrustDomain } from "@signet/spiffe";
import type { CertificateChain } from "./certificate.ts";
import type { TrustBundle } from "./trust-bundle.ts";
import type { ChainErrorCode } from "./verify-chain.ts";

/** Why an X509-SVID was not accepted. */
export type SvidErrorCode =
  | ChainErrorCode
  | "svid-uri-count"
  | "spiffe-id-invalid"
  | "svid-is-a-ca"
  | "svid-key-usage"
  | "trust-domain-unknown";

export interface VerifySvidOptions {
  readonly chain: CertificateChain;
  readonly bundles: ReadonlyMap<TrustDomain, TrustBundle>;
  readonly at: Date;
  readonly extendedKeyUsage?: "serverAuth" | "clientAuth";
}
export type SvidResult =
  | { readonly kind: "verified"; readonly spiffeId: SpiffeId }
  | { readonly kind: "rejected"; readonly code: SvidErrorCode; readonly detail: string };

export function verifySvid(options: VerifySvidOptions): SvidResult {
  throw new Error(`not built yet ${options.chain.length}`);
}

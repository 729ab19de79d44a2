import type { Certificate, CertificateChain } from "./certificate.ts";

/** Why a chain was not accepted. */
export type ChainErrorCode =
  | "chain-untrusted"
  | "chain-too-long"
  | "chain-too-complex"
  | "certificate-expired"
  | "certificate-not-yet-valid"
  | "not-a-ca"
  | "path-too-long"
  | "key-usage-missing"
  | "critical-extension-unknown"
  | "name-constraints-unsupported"
  | "signature-invalid"
  | "algorithm-weak"
  | "algorithm-unsupported"
  | "public-key-malformed"
  | "extended-key-usage-missing";

export interface VerifyChainOptions {
  readonly chain: CertificateChain;
  readonly roots: readonly Certificate[];
  readonly at: Date;
  readonly extendedKeyUsage?: "serverAuth" | "clientAuth";
}
/** `path` runs from the leaf to the root that vouches for it. */
export type ChainResult =
  | { readonly kind: "verified"; readonly path: readonly Certificate[] }
  | { readonly kind: "rejected"; readonly code: ChainErrorCode; readonly detail: string };

export function verifyChain(options: VerifyChainOptions): ChainResult {
  throw new Error(`not built yet ${options.chain.length}`);
}

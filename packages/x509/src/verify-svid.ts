import { type SpiffeId, type TrustDomain, trustDomainOf } from "@signet/spiffe";
import type { Certificate, CertificateChain } from "./certificate.ts";
import { X509Error } from "./errors.ts";
import type { ChainErrorCode, PathRequirements } from "./path-problems.ts";
import type { TrustBundle } from "./trust-bundle.ts";
import { verifyChain } from "./verify-chain.ts";
import { spiffeIdOf } from "./x509-svid.ts";

/** Why an X509-SVID was not accepted. */
export type SvidErrorCode =
  | ChainErrorCode
  | "svid-uri-count"
  | "spiffe-id-invalid"
  | "svid-is-a-ca"
  | "svid-key-usage"
  | "trust-domain-unknown";

/** What `verifySvid` needs: the chain as presented, a trust bundle for each trust domain, and the instant that counts. */
export interface VerifySvidOptions extends PathRequirements {
  readonly chain: CertificateChain;
  readonly bundles: ReadonlyMap<TrustDomain, TrustBundle>;
}

/** The SPIFFE ID of a chain that was verified, or why it was not. */
export type SvidResult =
  | { readonly kind: "verified"; readonly spiffeId: SpiffeId }
  | { readonly kind: "rejected"; readonly code: SvidErrorCode; readonly detail: string };

/**
 * Verifies an X509-SVID: the leaf is one, and its chain leads to the trust bundle of its own trust domain.
 *
 * The leaf names exactly one URI, a SPIFFE ID with a path; it is not a CA, may make signatures, and may sign neither
 * certificates nor CRLs (X509-SVID sections 2, 4 and 5.2). A root of another trust domain never vouches for it. The path
 * is checked by `verifyChain`.
 * @example
 * ```ts
 * import type { TrustDomain } from "@signet/spiffe";
 * import { type CertificateChain, type TrustBundle, verifySvid } from "@signet/x509";
 * export function peerName(chain: CertificateChain, bundles: ReadonlyMap<TrustDomain, TrustBundle>, now: Date): string {
 *   const result = verifySvid({ chain, bundles, at: now, extendedKeyUsage: "clientAuth" });
 *   return result.kind === "verified" ? result.spiffeId : `refused: ${result.detail}`;
 * }
 * ```
 */
export function verifySvid(options: VerifySvidOptions): SvidResult {
  const [leaf] = options.chain;
  const leafProblem = leafRejection(leaf);
  if (leafProblem !== undefined) {
    return leafProblem;
  }
  const spiffeId = nameOrRejection(leaf);
  if (typeof spiffeId !== "string") {
    return spiffeId;
  }
  const trustDomain = trustDomainOf(spiffeId);
  const bundle = options.bundles.get(trustDomain);
  if (bundle === undefined) {
    return rejected("trust-domain-unknown", `there is no trust bundle for trust domain ${trustDomain}`);
  }
  const result = verifyChain({ ...options, roots: bundle.authorities });
  return result.kind === "verified" ? { kind: "verified", spiffeId } : result;
}

function leafRejection(leaf: Certificate): SvidResult | undefined {
  // X509-SVID section 4.1.
  if (leaf.isCa) {
    return rejected("svid-is-a-ca", "leaf certificate is a CA");
  }
  // X509-SVID section 4.3.
  const usage = leaf.keyUsage;
  if (usage === undefined || !usage.has("digitalSignature") || usage.has("keyCertSign") || usage.has("cRLSign")) {
    const found = usage === undefined ? "none" : [...usage].join(", ");
    return rejected("svid-key-usage", `key usage of the leaf (${found}) is not that of a workload`);
  }
  return undefined;
}

function nameOrRejection(leaf: Certificate): SpiffeId | SvidResult {
  try {
    return spiffeIdOf(leaf);
  } catch (error) {
    if (error instanceof X509Error && (error.code === "svid-uri-count" || error.code === "spiffe-id-invalid")) {
      return rejected(error.code, error.message);
    }
    throw error;
  }
}

function rejected(code: SvidErrorCode, detail: string): SvidResult {
  return { kind: "rejected", code, detail };
}

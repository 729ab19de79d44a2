import type { CertificateChain, TrustBundle } from "@signet/x509";

/** What a CA answered to one CSR; parsed, not verified. */
export type IssuedCertificate = { readonly chain: CertificateChain; readonly trustBundle: TrustBundle };

/** Where SVIDs come from. */
export interface CaClient {
  /**
   * Asks once for a certificate for the key of `csrPem` (PKCS#10); the caller decides about retries.
   *
   * Nothing in the answer has been verified. Fails with a StatusError of the CA, or with an AgentError.
   */
  createCertificate(csrPem: string, ttlSeconds: number, signal: AbortSignal): Promise<IssuedCertificate>;
}

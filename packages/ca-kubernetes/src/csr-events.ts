/** What a signing CA behind the CSR API reports as it happens; must not throw. */
export interface CsrSigningEvents {
  /** A root that the signer showed, and that certificates are verified against from now on. */
  rootLearned(event: { readonly signerName: string; readonly subject: string; readonly notAfter: Date }): void;
  /** No certificate could be had to learn from; the next attempt comes after `retryMs`. */
  probeFailed(event: { readonly signerName: string; readonly error: unknown; readonly retryMs: number }): void;
  /** The object of a request could not be deleted; Kubernetes' own controller removes it within a day. */
  leftBehind(event: { readonly name: string; readonly error: unknown }): void;
}

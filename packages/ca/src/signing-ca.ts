import type { Source } from "@signet/runtime";
import type { Certificate, CertificateChain, Csr, PublicKeyInfo, SvidTemplate, TrustBundle } from "@signet/x509";

/** What a signing CA is asked to sign. */
export type SigningRequest = {
  readonly template: SvidTemplate;
  /**
   * Proves possession of the key, for backends that insist on a CSR; its names are never read. A backend that signs what
   * the CSR says refuses one whose key or names are not the template's.
   */
  readonly csr?: Csr;
};

/** What a signing CA is at, for health, logs and metrics. */
export type SigningCaHealth = {
  /** "degraded" signs, but not as it should (an old set of files, the standby); "failing" does not sign. */
  readonly state: "good" | "degraded" | "failing";
  /** One of a fixed set of phrases, without a name, path or secret: anyone may read it at `/ready`. */
  readonly reason?: string;
};

/** What holds or reaches a signing key. `signingCaSuite` of `@signet/ca/testing` says how every one of them behaves. */
export interface SigningCa {
  /** For logs and metrics: one of a fixed set, such as "self-signed". */
  readonly name: string;

  /** True when the key is in this process, so that a signature it made needs no second verification. */
  readonly keyIsLocal: boolean;

  /**
   * Signs exactly `template` and returns the leaf and then the chain as distributed, which may end in a root.
   *
   * Rejects with `signal.reason` when aborted, with `CaError` otherwise.
   */
  sign(request: SigningRequest, signal: AbortSignal): Promise<CertificateChain>;

  /**
   * Latest instant a certificate signed now may carry, or undefined while not ready.
   *
   * The instant may have passed: then the signing CA has expired.
   */
  notAfterLimit(): Date | undefined;

  /** What kind of key signs now, or undefined while that is not known. */
  signingKeyInfo(): PublicKeyInfo | undefined;

  /** The certificates that follow the leaf in every chain signed now; empty when a root signs, or while not known. */
  chain(): readonly Certificate[];

  /** The X.509 authorities of the trust domain; `pem` is the text as distributed. */
  readonly trustBundle: Source<TrustBundle>;

  /** How the CA does; absent where there is never anything to tell. */
  readonly health?: Source<SigningCaHealth>;

  /**
   * How much later than its template a certificate may end, in milliseconds, for a signer that counts a lifetime from when
   * it signs; absent means not at all.
   */
  readonly notAfterToleranceMs?: number;

  /** How long canary certificates live, in milliseconds; absent where a minute will do. */
  readonly canaryTtlMs?: number;

  /** The certificate revocation lists of the CA, PEM as distributed; absent where it publishes none. */
  readonly revocationLists?: Source<string>;
}

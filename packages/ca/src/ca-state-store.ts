/** A self-signed CA as it is kept: the same files as in an Istio CA Secret, all in PEM. */
export type CaState = {
  /** `ca-cert.pem`: the signing certificate. */
  readonly certificatePem: string;
  /** `ca-key.pem`: its private key. Secret. */
  readonly privateKeyPem: string;
  /** `root-cert.pem`: the trust bundle as distributed. */
  readonly rootCertificatesPem: string;
};

/** Keeps the state of one CA. */
export interface CaStateStore {
  /** The state as last saved, or undefined when none was ever saved. A state that cannot be read is an error, not undefined. */
  load(): Promise<CaState | undefined>;
  /** Resolves once the state would survive a crash; all of it or none. */
  save(state: CaState): Promise<void>;
}

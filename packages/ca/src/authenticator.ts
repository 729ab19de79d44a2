import type { Caller } from "./caller.ts";

/** What a peer showed of itself with one call; nothing in it is verified except a certificate chain, by TLS. */
export interface PresentedCredentials {
  /** The first `authorization` value that starts exactly with `Bearer `, without that prefix. */
  readonly bearerToken?: string;
  /** DER, leaf first; present only when TLS verified it against the current trust bundle. */
  readonly clientCertificateChain?: readonly Uint8Array[];
  /** The `clusterid` header, when there is exactly one. */
  readonly clusterId?: string;
  /** host:port, or "unix". */
  readonly peerAddress: string;
  readonly transport: "tls" | "plaintext" | "unix";
}

/** Why an authenticator did not accept a credential; for logs and operators, never for the peer. */
export type AuthenticationReason =
  | "token-malformed"
  | "token-too-large"
  | "critical-header-unsupported"
  | "expiry-missing"
  | "token-expired"
  | "token-not-yet-valid"
  | "algorithm-not-allowed"
  | "issuer-unknown"
  | "audience-mismatch"
  | "signature-invalid"
  | "key-not-found"
  | "key-unsuitable"
  | "keys-unavailable"
  | "subject-missing"
  | "subject-not-service-account"
  | "certificate-malformed"
  | "certificate-untrusted"
  | "spiffe-id-invalid"
  | "trust-domain-foreign"
  | "trust-bundle-unavailable"
  | "authenticator-failed";

/** What one authenticator says of the presented credentials. */
export type AuthenticationResult =
  | { readonly kind: "authenticated"; readonly caller: Caller }
  /** The credential this authenticator reads is absent. */
  | { readonly kind: "not-applicable" }
  | { readonly kind: "rejected"; readonly reason: AuthenticationReason; readonly cause?: unknown }
  /** Cannot tell now; the peer should try again. */
  | { readonly kind: "unavailable"; readonly reason: AuthenticationReason; readonly cause?: unknown };

/** Decides who a peer is by one kind of credential. */
export interface Authenticator {
  /** For logs and metrics: one of a fixed set, such as "client-certificate". */
  readonly name: string;
  /** Expected outcomes are returned; a throw counts as `unavailable`. */
  authenticate(presented: PresentedCredentials, signal: AbortSignal): Promise<AuthenticationResult>;
}

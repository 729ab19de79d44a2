import type { Caller } from "./caller.ts";

/** What a peer showed of itself with one call; nothing in it is verified except a certificate chain, by TLS. */
export interface PresentedCredentials {
  /** The first `authorization` value that starts exactly with `Bearer `, without that prefix. */
  readonly bearerToken?: string;
  /** DER, leaf first; present only when TLS verified it against the current trust bundle. */
  readonly clientCertificateChain?: readonly Uint8Array[];
  /** Why TLS did not accept the certificate that the peer presented, such as "CERT_HAS_EXPIRED"; it counts as none. */
  readonly clientCertificateProblem?: string;
  /** The values of `x-forwarded-client-cert`, joined with "," in the order of arrival. Unverified. */
  readonly forwardedClientCert?: string;
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
  /** No API server is known by the cluster that the peer named. */
  | "cluster-unknown"
  /** The API server does not vouch for the token. */
  | "token-refused"
  /** The token names no pod, and one is needed. */
  | "pod-claims-missing"
  | "api-server-unavailable"
  | "certificate-malformed"
  | "certificate-untrusted"
  | "spiffe-id-invalid"
  | "trust-domain-foreign"
  | "trust-bundle-unavailable"
  /** The peer is not one whose forwarded header counts. */
  | "peer-untrusted"
  | "header-malformed"
  /** No room for one more question now. */
  | "overloaded"
  | "authenticator-failed";

/** What one authenticator says of the presented credentials. */
export type AuthenticationResult =
  | { readonly kind: "authenticated"; readonly caller: Caller }
  /** The credential this authenticator reads is absent. */
  | { readonly kind: "not-applicable" }
  | { readonly kind: "rejected"; readonly reason: AuthenticationReason; readonly cause?: unknown }
  /** Cannot tell now; the peer should try again. */
  | { readonly kind: "unavailable"; readonly reason: AuthenticationReason; readonly cause?: unknown };

/** Decides who a peer is by one kind of credential; `authenticatorSuite` of `@signet/ca/testing` says how each behaves. */
export interface Authenticator {
  /** For logs and metrics: one of a fixed set, such as "client-certificate". */
  readonly name: string;
  /**
   * Expected outcomes are returned; a throw counts as `unavailable`. Rejects with `signal.reason` when aborted, at once.
   *
   * No result holds the credential, or a part of it that would be of use to who reads a log.
   */
  authenticate(presented: PresentedCredentials, signal: AbortSignal): Promise<AuthenticationResult>;
}

import type { AuthenticationReason, AuthenticationResult, Authenticator } from "@signet/ca";
import type { Clock, Source } from "@signet/runtime";
import type { TrustDomain } from "@signet/spiffe";
import { type CertificateChain, maxChainLength, parseCertificate, type TrustBundle, verifySvid } from "@signet/x509";

type SvidRejection = Extract<ReturnType<typeof verifySvid>, { kind: "rejected" }>;

/**
 * Knows callers by their X509-SVID: the one SPIFFE ID of the certificate they hold now is the one they get again.
 *
 * The chain is verified here, against the trust bundle as it is at this call: TLS looked at it once, when the connection
 * was made, and a connection may outlive both the certificate and the root.
 */
export function createClientCertificateAuthenticator(
  options: { readonly trustDomain: TrustDomain; readonly trustBundle: Source<TrustBundle> },
  clock: Clock,
): Authenticator {
  return {
    name: "client-certificate",
    async authenticate({ clientCertificateChain: presented }): Promise<AuthenticationResult> {
      if (presented === undefined || presented.length === 0) return { kind: "not-applicable" };
      const trustBundle = options.trustBundle.current();
      if (trustBundle === undefined) return { kind: "unavailable", reason: "trust-bundle-unavailable" };
      // Before parsing: TLS lets a client send a hundred kilobytes of certificates.
      if (presented.length > maxChainLength) {
        return rejected("certificate-untrusted", `chain of ${presented.length} certificates exceeds ${maxChainLength}`);
      }
      const chain = parseChain(presented);
      if (chain === undefined) return rejected("certificate-malformed", "a certificate of the chain cannot be read");
      const result = verifySvid({
        chain,
        bundles: new Map([[options.trustDomain, trustBundle]]),
        at: clock.now(),
        extendedKeyUsage: "clientAuth",
      });
      if (result.kind === "rejected") return rejected(reasonOf(result.code), `${result.code}: ${result.detail}`);
      return { kind: "authenticated", caller: { spiffeId: result.spiffeId, source: "client-certificate" } };
    },
  };
}

function rejected(reason: AuthenticationReason, detail: string): AuthenticationResult {
  return { kind: "rejected", reason, cause: detail };
}

function parseChain(presented: readonly Uint8Array[]): CertificateChain | undefined {
  const [leaf, ...rest] = presented;
  if (leaf === undefined) return undefined;
  try {
    return [parseCertificate(leaf), ...rest.map((der) => parseCertificate(der))];
  } catch {
    return undefined;
  }
}

function reasonOf(code: SvidRejection["code"]): AuthenticationReason {
  switch (code) {
    case "trust-domain-unknown":
      return "trust-domain-foreign";
    case "svid-uri-count":
    case "spiffe-id-invalid":
      return "spiffe-id-invalid";
    default:
      return "certificate-untrusted";
  }
}

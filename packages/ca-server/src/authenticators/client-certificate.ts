import type { AuthenticationReason, AuthenticationResult, Authenticator } from "@signet/ca";
import type { Clock, Source } from "@signet/runtime";
import { type CertificateChain, maxChainLength, parseCertificate, type TrustBundle, verifySvid } from "@signet/x509";
import { inTrustDomain, type TrustDomains } from "../trust-domains.ts";

type SvidRejection = Extract<ReturnType<typeof verifySvid>, { kind: "rejected" }>;

/**
 * Knows callers by their X509-SVID: the one SPIFFE ID of the certificate they hold now is the one they get again, in our
 * trust domain where it is of an alias. Names of other kinds beside it are tolerated and never issued again.
 *
 * The chain is verified here, against the trust bundle as it is at this call: TLS looked at it once, when the connection
 * was made, and a connection may outlive both the certificate and the root. One that TLS refused counts as none for the
 * other authenticators, and is rejected here so that the log can say why.
 */
export function createClientCertificateAuthenticator(
  options: TrustDomains & { readonly trustBundle: Source<TrustBundle> },
  clock: Clock,
): Authenticator {
  return {
    name: "client-certificate",
    async authenticate(credentials, signal): Promise<AuthenticationResult> {
      signal.throwIfAborted();
      const { clientCertificateChain: presented, clientCertificateProblem: problem } = credentials;
      if (presented === undefined || presented.length === 0) {
        if (problem === undefined) return { kind: "not-applicable" };
        return rejected("certificate-untrusted", `TLS refused the certificate: ${problem}`);
      }
      const trustBundle = options.trustBundle.current();
      if (trustBundle === undefined) return { kind: "unavailable", reason: "trust-bundle-unavailable" };
      // Before parsing: TLS lets a client send a hundred kilobytes of certificates.
      if (presented.length > maxChainLength) {
        return rejected("certificate-untrusted", `chain of ${presented.length} certificates exceeds ${maxChainLength}`);
      }
      const chain = parseChain(presented);
      if (chain === undefined) return rejected("certificate-malformed", "a certificate of the chain cannot be read");
      return verify(chain, { ...options, trustBundle, at: clock.now() });
    },
  };
}

function verify(
  chain: CertificateChain,
  against: TrustDomains & { readonly trustBundle: TrustBundle; readonly at: Date },
): AuthenticationResult {
  const { trustDomain, trustDomainAliases, trustBundle, at } = against;
  const bundles = new Map([trustDomain, ...trustDomainAliases].map((name) => [name, trustBundle]));
  const result = verifySvid({ chain, bundles, at, extendedKeyUsage: "clientAuth" });
  if (result.kind === "rejected") return rejected(reasonOf(result.code), `${result.code}: ${result.detail}`);
  const spiffeId = inTrustDomain(result.spiffeId, against);
  if (spiffeId === undefined) return rejected("trust-domain-foreign", `${result.spiffeId} is of another trust domain`);
  return { kind: "authenticated", caller: { spiffeId, source: "client-certificate" } };
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

import type { AuthenticationReason, AuthenticationResult, Authenticator } from "@signet/ca";
import { parseSpiffeId, type SpiffeId, type TrustDomain } from "@signet/spiffe";
import type { CidrList } from "../cidr-list.ts";
import { inTrustDomain } from "../trust-domains.ts";
import { type ForwardedElement, parseLastForwardedElement } from "./forwarded-element.ts";

/**
 * Knows callers by what a trusted gateway, which ended their TLS, says of their certificate: the one URI of the element
 * that the gateway itself appended to `x-forwarded-client-cert`.
 *
 * The gateway is trusted by its address alone, as in istiod, and need not show a certificate of its own: a valid one
 * names the gateway, and that authenticator comes first. What earlier hops say, and DNS names and subjects, never become
 * a name. Whoever can send from an address of `trustedGateways` can have any name in the mesh.
 */
export function createForwardedClientCertAuthenticator(options: {
  readonly trustDomain: TrustDomain;
  readonly trustDomainAliases: ReadonlySet<TrustDomain>;
  readonly trustedGateways: CidrList;
}): Authenticator {
  return {
    name: "forwarded-client-cert",
    async authenticate({ forwardedClientCert, peerAddress }, signal): Promise<AuthenticationResult> {
      signal.throwIfAborted();
      if (forwardedClientCert === undefined) return { kind: "not-applicable" };
      if (!options.trustedGateways.includesPeer(peerAddress)) {
        return rejected("peer-untrusted", "peer is in no network of TRUSTED_GATEWAY_CIDR");
      }
      const element = parseLastForwardedElement(forwardedClientCert);
      if (element === undefined) return rejected("header-malformed", "last element of the header cannot be read");
      const uri = onlyUri(element);
      if (uri === undefined) return rejected("spiffe-id-invalid", "last element of the header has not exactly one URI");
      const spiffeId = readSpiffeId(uri);
      if (spiffeId === undefined) return rejected("spiffe-id-invalid", "URI of the last element is no SPIFFE ID");
      const ours = inTrustDomain(spiffeId, options);
      if (ours === undefined) return rejected("trust-domain-foreign", `${spiffeId} is of another trust domain`);
      return { kind: "authenticated", caller: { spiffeId: ours, source: "forwarded-client-certificate" } };
    },
  };
}

function rejected(reason: AuthenticationReason, detail: string): AuthenticationResult {
  return { kind: "rejected", reason, cause: detail };
}

function onlyUri(element: ForwardedElement): string | undefined {
  const [uri, ...others] = element.filter(({ key }) => key === "uri");
  return others.length === 0 ? uri?.value : undefined;
}

function readSpiffeId(uri: string): SpiffeId | undefined {
  try {
    return parseSpiffeId(uri);
  } catch {
    return undefined;
  }
}

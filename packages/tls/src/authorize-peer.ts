import type { DetailedPeerCertificate } from "node:tls";
import { errorMessage } from "@signet/runtime";
import { type SpiffeId, type TrustDomain, trustDomainOf } from "@signet/spiffe";
import { type Certificate, parseCertificate, verifySvid } from "@signet/x509";
import { TlsError } from "./errors.ts";
import type { WorkloadSvid } from "./workload-svid.ts";

/** Says whether a peer that is verified may be here. */
export type PeerAuthorizer = (spiffeId: SpiffeId) => boolean;

/**
 * Lets in the peers with exactly these SPIFFE IDs.
 * @example
 * ```ts
 * import { parseSpiffeId } from "@signet/spiffe";
 * import { allowSpiffeIds } from "@signet/tls";
 * allowSpiffeIds(parseSpiffeId("spiffe://cluster.local/ns/demo/sa/frontend"));
 * ```
 */
export function allowSpiffeIds(...spiffeIds: readonly SpiffeId[]): PeerAuthorizer {
  const allowed = new Set(spiffeIds);
  return (spiffeId) => allowed.has(spiffeId);
}

/**
 * Lets in every peer of these trust domains.
 * @example
 * ```ts
 * import { parseTrustDomain } from "@signet/spiffe";
 * import { allowTrustDomains } from "@signet/tls";
 * allowTrustDomains(parseTrustDomain("cluster.local"));
 * ```
 */
export function allowTrustDomains(...trustDomains: readonly TrustDomain[]): PeerAuthorizer {
  const allowed = new Set(trustDomains);
  return (spiffeId) => allowed.has(trustDomainOf(spiffeId));
}

/** What a peer has shown, and which end of the connection it is. */
export type ShownChain = { readonly certificate: DetailedPeerCertificate; readonly role: "client" | "server" };

const maxChainLength = 10;

/**
 * Returns the SPIFFE ID of a peer that the bundle of its own trust domain vouches for and that `authorize` lets in.
 *
 * TLS has seen to it that the peer holds the key; by which roots, it does not tell apart, so the chain is verified once more
 * here, for its trust domain alone and by the bundles of now.
 * @throws TlsError `peer-unverified`, `peer-unauthorized`
 */
export function authorizePeer(
  { trustBundles }: WorkloadSvid,
  { certificate, role }: ShownChain,
  authorize: PeerAuthorizer,
): SpiffeId {
  const [leaf, ...rest] = chainOf(certificate);
  if (leaf === undefined) throw new TlsError("peer-unverified", "the peer has shown no certificate");
  const result = verifySvid({
    chain: [leaf, ...rest],
    bundles: trustBundles,
    at: new Date(),
    extendedKeyUsage: role === "client" ? "clientAuth" : "serverAuth",
  });
  if (result.kind === "rejected") {
    throw new TlsError("peer-unverified", `the peer's certificate is not accepted: ${result.code}: ${result.detail}`);
  }
  if (!authorize(result.spiffeId)) {
    throw new TlsError("peer-unauthorized", `${result.spiffeId} may not be the ${role} here`);
  }
  return result.spiffeId;
}

/** The certificates as Node links them: each with its issuer, a root with itself. */
function chainOf(certificate: DetailedPeerCertificate): readonly Certificate[] {
  const chain: Certificate[] = [];
  const seen = new Set<DetailedPeerCertificate>();
  // An absent certificate is an object without fields.
  for (let next = certificate; next?.raw !== undefined && !seen.has(next); next = next.issuerCertificate) {
    if (chain.length === maxChainLength) throw new TlsError("peer-unverified", "the peer's chain is too long");
    seen.add(next);
    try {
      chain.push(parseCertificate(new Uint8Array(next.raw)));
    } catch (cause) {
      throw new TlsError("peer-unverified", `the peer's certificate cannot be read: ${errorMessage(cause)}`, { cause });
    }
  }
  return chain;
}

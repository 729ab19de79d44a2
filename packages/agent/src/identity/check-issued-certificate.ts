import { type SpiffeId, trustDomainOf } from "@signet/spiffe";
import {
  type Certificate,
  type CertificateChain,
  type KeyPair,
  spiffeIdOf,
  verifySvid,
  X509Error,
  type X509Svid,
} from "@signet/x509";
import type { IssuedCertificate } from "../ca-client/ca-client.ts";
import { AgentError } from "../errors.ts";

/**
 * The SVID that the CA issued for `key`, once it is certain that peers with the same bundle will accept it.
 *
 * Checked: the leaf has our public key, it has not expired, it names exactly one SPIFFE ID, and the chain verifies to the
 * bundle that came with it. A leaf that is not valid yet is verified for its first moment: whether our clock or the CA's
 * is wrong cannot be told here, so the caller decides what to do with it.
 * @throws AgentError `issued-key-mismatch`, `issued-svid-rejected`
 */
export function checkIssuedCertificate(issued: IssuedCertificate, key: KeyPair, now: Date): X509Svid {
  const [leaf] = issued.chain;
  if (Buffer.compare(leaf.spki, key.spki) !== 0 && !leaf.publicKey.equals(key.publicKey)) {
    throw new AgentError("issued-key-mismatch", "the certificate from the CA is for another key than the CSR");
  }
  const at = leaf.notBefore > now ? leaf.notBefore : now;
  const bundles = new Map([[trustDomainOf(readSpiffeId(leaf)), issued.trustBundle]]);
  const result = verifySvid({ chain: issued.chain, bundles, at });
  if (result.kind === "rejected") {
    throw new AgentError("issued-svid-rejected", `the CA's answer does not verify: ${result.code}: ${result.detail}`);
  }
  return { spiffeId: result.spiffeId, chain: withoutRoots(issued), key };
}

function readSpiffeId(leaf: Certificate): SpiffeId {
  try {
    return spiffeIdOf(leaf);
  } catch (error) {
    if (!(error instanceof X509Error)) throw error;
    throw new AgentError("issued-svid-rejected", `the CA's answer is no SVID: ${error.code}: ${error.message}`);
  }
}

/** A plugged-in CA's chain file often ends in the root, which has no place in a chain (RFC 8446 section 4.4.2). */
function withoutRoots({ chain: [leaf, ...rest], trustBundle }: IssuedCertificate): CertificateChain {
  const isRoot = (certificate: Certificate): boolean =>
    Buffer.compare(certificate.issuer, certificate.subject) === 0 &&
    trustBundle.authorities.some((authority) => Buffer.compare(authority.der, certificate.der) === 0);
  return [leaf, ...rest.filter((certificate) => !isRoot(certificate))];
}

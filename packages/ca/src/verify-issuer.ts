import { type Certificate, type CertificateChain, type TrustBundle, verifyChain } from "@signet/x509";
import { CaError } from "./errors.ts";

/** A leaf to place under a trust bundle. */
export type IssuerQuestion = {
  readonly chain: CertificateChain;
  readonly trustBundle: TrustBundle;
  readonly at: Date;
  /** Whether the leaf's own signature is verified when everything above it is known to be good. */
  readonly verifySignature: boolean;
};

/** A path above some leaf that has been verified down from a root of the bundle. */
type VerifiedIssuer = {
  readonly issuer: Certificate;
  /** What stood above the leaf in the chain that was verified. */
  readonly above: readonly Certificate[];
  /** While every certificate of the path is valid. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** A certificate of the path limits the names below it, so what held for one leaf need not hold for the next. */
  readonly limitsNames: boolean;
};

/** Several only while a failover or a rotation goes on. */
const maxRemembered = 8;

// Not state that anything depends on: an answer that is forgotten is worked out again, and is the same.
const remembered = new WeakMap<TrustBundle, readonly VerifiedIssuer[]>();

/**
 * The certificate that issued the leaf, once the path from the leaf to a root of the trust bundle has been verified
 * (RFC 5280 section 6.1).
 *
 * All of it the first time under a trust bundle; after that, and for as long as the same certificates stand above the
 * leaf and are valid, only the leaf's place under its issuer.
 * @throws CaError `issued-svid-mismatch`
 */
export function verifyIssuer(question: IssuerQuestion): Certificate {
  const known = remembered.get(question.trustBundle) ?? [];
  const hit = known.find((candidate) => isIssuer(candidate, question));
  if (hit !== undefined) return hit.issuer;
  const verified = verifyPath(question);
  remembered.set(question.trustBundle, [verified, ...known].slice(0, maxRemembered));
  return verified.issuer;
}

function isIssuer(candidate: VerifiedIssuer, { chain, at, verifySignature }: IssuerQuestion): boolean {
  const [leaf] = chain;
  const { issuer } = candidate;
  if (candidate.limitsNames) return false;
  if (at.getTime() < candidate.notBefore || at.getTime() > candidate.notAfter) return false;
  if (Buffer.compare(leaf.issuer, issuer.subject) !== 0 || !sameKeyIdentifier(leaf, issuer)) return false;
  if (!sameCertificatesAbove(chain, candidate.above)) return false;
  return !verifySignature || verifyChain({ chain: [leaf], roots: [issuer], at }).kind === "verified";
}

/** Two roots may bear one name, so the name alone does not say which key signed. */
function sameKeyIdentifier(leaf: Certificate, issuer: Certificate): boolean {
  const wanted = leaf.authorityKeyIdentifier;
  const present = issuer.subjectKeyIdentifier;
  return wanted === undefined || present === undefined || Buffer.compare(wanted, present) === 0;
}

function sameCertificatesAbove(chain: CertificateChain, above: readonly Certificate[]): boolean {
  if (chain.length !== above.length + 1) return false;
  return above.every((certificate, index) => {
    const other = chain[index + 1];
    return other === certificate || (other !== undefined && Buffer.compare(other.der, certificate.der) === 0);
  });
}

function verifyPath({ chain, trustBundle, at }: IssuerQuestion): VerifiedIssuer {
  const [leaf] = chain;
  const [, issuer, ...rest] = pathFor("serverAuth", { chain, trustBundle, at });
  pathFor("clientAuth", { chain, trustBundle, at });
  if (issuer === undefined) throw untrusted("nothing stands above the leaf");
  // Path building in OpenSSL goes by key identifiers, ours by signatures.
  if (!sameKeyIdentifier(leaf, issuer)) throw untrusted("authority key identifier is not the issuer's");
  const path = [issuer, ...rest];
  return {
    issuer,
    above: chain.slice(1),
    notBefore: Math.max(...path.map((certificate) => certificate.notBefore.getTime())),
    notAfter: Math.min(...path.map((certificate) => certificate.notAfter.getTime())),
    limitsNames: path.some((certificate) => certificate.nameConstraints !== undefined),
  };
}

function pathFor(
  extendedKeyUsage: "serverAuth" | "clientAuth",
  { chain, trustBundle, at }: Pick<IssuerQuestion, "chain" | "trustBundle" | "at">,
): readonly Certificate[] {
  const result = verifyChain({ chain, roots: trustBundle.authorities, at, extendedKeyUsage });
  if (result.kind === "rejected") throw untrusted(`${result.code}: ${result.detail}`);
  return result.path;
}

function untrusted(detail: string): CaError {
  return new CaError("issued-svid-mismatch", `chain does not lead to the trust bundle: ${detail}`);
}

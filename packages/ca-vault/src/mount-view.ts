import { X509Certificate } from "node:crypto";
import {
  type Certificate,
  type CertificateChain,
  certificatePem,
  parseTrustBundle,
  type TrustBundle,
  verifyChain,
} from "@signet/x509";
import type { VaultHealthReason } from "./health-board.ts";
import type { IssuerRecord } from "./mount-records.ts";

/** What signs, and what is trusted. */
export type MountView = {
  readonly issuer: Certificate;
  /** What follows the leaf in every chain: the issuer and those above it, without self-signed ones. */
  readonly chain: readonly Certificate[];
  /** The first end of the certificates from the issuer up to its root. */
  readonly notAfterLimit: Date;
  readonly trustBundle: TrustBundle;
};

/** The view, or why nothing can be signed. */
export type MountViewOutcome =
  | { readonly kind: "view"; readonly view: MountView }
  | { readonly kind: "refused"; readonly reason: VaultHealthReason; readonly detail: string };

/** What was read. */
export type MountState = {
  readonly signing: IssuerRecord;
  /** All issuers of the mount; not looked at when roots are pinned. */
  readonly issuers: readonly IssuerRecord[];
  readonly pinned: TrustBundle | undefined;
  readonly at: Date;
};

/**
 * Decides what is trusted, and whether what signs leads to it.
 *
 * Without pinned roots these are the self-signed CA certificates in the chains of all issuers of the mount that are not
 * revoked and have not expired, the one above the signing issuer first; an intermediate whose root is not on the mount
 * adds nothing, since no peer takes an intermediate for a root. With pinned roots, those alone.
 */
export function decideMountView(state: MountState): MountViewOutcome {
  const { signing, at } = state;
  const unusable = signingProblem(signing, at);
  if (unusable !== undefined) return unusable;
  const trustBundle = state.pinned ?? bundleOf(state);
  if (trustBundle === undefined)
    return refuse("issuer-untrusted", "no issuer of the mount leads to a self-signed root");
  const above = signing.chain.filter((certificate) => !isSelfSigned(certificate));
  // Vault's chain begins with the issuer; a manual chain may not.
  const [, ...higher] = startWith(signing.certificate, above);
  const path = verifiedPath([signing.certificate, ...higher], trustBundle, at);
  if (typeof path === "string") return refuse("issuer-untrusted", path);
  const ends = path.map(({ notAfter }) => notAfter.getTime());
  const chain = isSelfSigned(signing.certificate) ? [] : [signing.certificate, ...higher];
  return {
    kind: "view",
    view: { issuer: signing.certificate, chain, notAfterLimit: new Date(Math.min(...ends)), trustBundle },
  };
}

function signingProblem({ certificate, revoked, signs }: IssuerRecord, at: Date): MountViewOutcome | undefined {
  const { notAfter, notBefore } = certificate;
  if (revoked) return refuse("issuer-unusable", "issuer is revoked");
  if (!signs) return refuse("issuer-unusable", "issuer is not for issuing certificates");
  if (!maySign(certificate))
    return refuse("issuer-unusable", "issuer is not a CA certificate that may sign certificates");
  if (notAfter <= at) return refuse("issuer-expired", `issuer expired at ${notAfter.toISOString()}`);
  if (notBefore > at) return refuse("issuer-unusable", `issuer is not valid before ${notBefore.toISOString()}`);
  return undefined;
}

function bundleOf({ signing, issuers, at }: MountState): TrustBundle | undefined {
  const roots = new Map<string, Certificate>();
  const candidates = [signing, ...issuers].flatMap(({ revoked, chain }) => (revoked ? [] : chain));
  for (const certificate of candidates) {
    if (maySign(certificate) && certificate.notAfter > at && isSelfSigned(certificate)) {
      roots.set(certificate.der.toHex(), certificate);
    }
  }
  // It is in the chains of those below it all the same.
  for (const { revoked, certificate } of issuers) if (revoked) roots.delete(certificate.der.toHex());
  return roots.size === 0 ? undefined : parseTrustBundle([...roots.values()].map(certificatePem).join(""));
}

/** The path for servers and clients alike, or why there is none. */
function verifiedPath(
  chain: CertificateChain,
  { authorities }: TrustBundle,
  at: Date,
): readonly Certificate[] | string {
  const paths = (["serverAuth", "clientAuth"] as const).map((extendedKeyUsage) =>
    verifyChain({ chain, roots: authorities, at, extendedKeyUsage }),
  );
  const rejected = paths.find((path) => path.kind === "rejected");
  if (rejected?.kind === "rejected") return `${rejected.code}: ${rejected.detail}`;
  const whole = paths.flatMap((path) => (path.kind === "verified" ? path.path : []));
  // Below the issuer comes the leaf, so that the issuer counts as an intermediate too (RFC 5280 section 6.1.4 (l)).
  const [first] = paths;
  const path = first?.kind === "verified" ? first.path : [];
  const tooLong = path.some(({ pathLength }, below) => pathLength !== undefined && below > pathLength);
  return tooLong ? "a certificate above the issuer allows fewer intermediates" : whole;
}

function startWith(issuer: Certificate, above: readonly Certificate[]): CertificateChain {
  const at = above.findIndex(({ der }) => Buffer.compare(der, issuer.der) === 0);
  return [issuer, ...above.slice(at + 1)];
}

/** RFC 5280 section 6.1.4 (k) and (n). */
function maySign({ isCa, keyUsage }: Certificate): boolean {
  return isCa && keyUsage?.has("keyCertSign") !== false;
}

/** Whether the certificate is signed by its own key, and not only under its own name. */
export function isSelfSigned(certificate: Certificate): boolean {
  if (Buffer.compare(certificate.issuer, certificate.subject) !== 0) return false;
  try {
    return new X509Certificate(certificate.der).verify(certificate.publicKey);
  } catch {
    // A key that is no key signs nothing.
    return false;
  }
}

function refuse(reason: VaultHealthReason, detail: string): MountViewOutcome {
  return { kind: "refused", reason, detail };
}
